/** The other processors of a machine, as one of them reaches them. */
import { kickOf } from '../cpu/kick.ts';
import { createBus } from '../cpu/smp/bus-module.ts';
import { ProcessorBoard } from '../cpu/smp/processor-board.ts';
import { Siblings } from '../cpu/smp/siblings.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import type { WasmMemory } from '../wasm/webassembly.ts';
import type { ProcessorHost } from './config.ts';
import type { SharedMachine } from './shared-machine.ts';

export interface SiblingsSeat {
  readonly shared: SharedMachine;
  readonly host: ProcessorHost;
  readonly memory: GuestMemory;
  readonly processor: number;
  /** What the others may want of this processor's thread at any time; the first one's has the board. */
  readonly serve?: () => void;
}

/** Makes a processor look at what was left for it: ends its slice, or its sleep. */
export function processorWaker(shared: SharedMachine, host: ProcessorHost): (processor: number) => void {
  const kicks = shared.processors.map(kickOf);
  return (processor) => {
    kicks[processor]?.();
    host.ring(processor);
  };
}

export function createSiblings({ shared, host, memory, processor, serve }: SiblingsSeat): Siblings {
  const kicks = shared.processors.map(kickOf);
  const own = shared.processors[processor] as WasmMemory;
  return new Siblings({
    board: new ProcessorBoard(shared.processorBoard),
    bus: createBus(shared.processors, shared.processorBoard, processor, host.wideExchange?.(memory.memory, own)),
    processor,
    processors: kicks.length,
    users: memory.users,
    kick: (other) => kicks[other]?.(),
    cores: host.cores,
    ...(serve === undefined ? {} : { serve }),
  });
}
