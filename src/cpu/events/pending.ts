/** Exceptions on delivery: nesting into #DF and shutdown. SDM Vol. 3A 6.15, "Interrupt 8". */
import { GuestFault } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { shadowBit } from '../state/layout.ts';
import { deliver, type Interruption } from './interrupt.ts';

const doubleFault = 8;
const pageFault = 14;
const contributory: ReadonlySet<number> = new Set([0, 10, 11, 12, 13]);

/** What a second fault during delivery of `first` becomes; undefined: shutdown. */
function nested(first: number | undefined, second: GuestFault): GuestFault | undefined {
  if (first === undefined) return second;
  const harmful = contributory.has(second.vector) || second.vector === pageFault;
  if (first === doubleFault && harmful) return undefined;
  if (contributory.has(first) && contributory.has(second.vector)) return new GuestFault(doubleFault, 0);
  if (first === pageFault && harmful) return new GuestFault(doubleFault, 0);
  return second;
}

/**
 * Delivers `event`; if that faults, delivers the fault instead, and so on. `rip`: where the interrupted instruction
 * started, the return address of faults. @returns false for shutdown (triple fault).
 */
export function deliverEvent(cpu: Processor, event: Interruption, rip: bigint): boolean {
  let current = event;
  let start = rip;
  let previous: number | undefined = event.source === 'fault' ? event.vector : undefined;
  for (;;) {
    try {
      deliver(cpu, current);
      if ((cpu.state.shadow & (shadowBit.sti | shadowBit.movSs)) !== 0) {
        cpu.state.shadow &= ~(shadowBit.sti | shadowBit.movSs);
        cpu.modeChanged();
      }
      return true;
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      const next = nested(previous, error);
      if (next === undefined) return false;
      previous = next.vector;
      if (error.committed) start = cpu.state.rip;
      const source = error.trap ? 'trap' : 'fault';
      current = { vector: next.vector, errorCode: next.errorCode, source, returnRip: start };
    }
  }
}
