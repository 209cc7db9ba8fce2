/** One processor that thinks it is among several: locked instructions are atomic, caches are claimed. */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { soloBus } from '../smp/bus-module.ts';
import { allocateProcessorBoard, ProcessorBoard } from '../smp/processor-board.ts';
import { Siblings } from '../smp/siblings.ts';

export function soloSiblings({ users }: GuestMemory): Siblings {
  const board = new ProcessorBoard(allocateProcessorBoard());
  return new Siblings({ board, bus: soloBus, processor: 0, processors: 1, users, kick: () => {}, cores: 2 });
}
