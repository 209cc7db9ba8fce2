/** Events between two instructions, in their order of priority. SDM Vol. 3A table 6-2. */
import { eflags } from '../../spec/x86/registers.ts';
import type { Processor } from '../processor.ts';
import { shadowBit } from '../state/layout.ts';
import { setDr6 } from './debug.ts';
import { deliverEvent } from './pending.ts';

const debugVector = 1;
const nmiVector = 2;

export interface EventReceiver extends Processor {
  /** HLT was executed and no event has ended it yet. */
  halted: boolean;
  /** An NMI has arrived that is not delivered yet. */
  nmiPending: boolean;
}

/** Delivers the trap, NMI or interrupt that is due. @returns false for shutdown. */
export function deliverDue(cpu: EventReceiver): boolean {
  const { rip, shadow } = cpu.state;
  if (cpu.debug.pending !== 0 && (shadow & shadowBit.movSs) === 0) {
    setDr6(cpu, cpu.debug.pending);
    cpu.debug.pending = 0;
    cpu.halted = false;
    return deliverEvent(cpu, { vector: debugVector, source: 'trap', returnRip: rip }, rip);
  }
  if (cpu.nmiPending && (shadow & (shadowBit.nmi | shadowBit.movSs)) === 0) {
    cpu.nmiPending = false;
    cpu.halted = false;
    const delivered = deliverEvent(cpu, { vector: nmiVector, source: 'external', returnRip: rip }, rip);
    cpu.state.shadow |= shadowBit.nmi;
    return delivered;
  }
  const waiting = cpu.interrupts.hasInterrupt();
  cpu.state.interruptWaiting = waiting;
  const blocked = (shadow & (shadowBit.sti | shadowBit.movSs)) !== 0 || !cpu.state.flag(eflags.if);
  if (blocked || !waiting) return true;
  const vector = cpu.interrupts.acknowledge();
  if (vector < 0) return true;
  cpu.halted = false;
  return deliverEvent(cpu, { vector, source: 'external', returnRip: rip }, rip);
}
