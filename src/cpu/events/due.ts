/** Events between two instructions, in their order of priority. SDM Vol. 3A table 6-2. */
import { eflags } from '../../spec/x86/registers.ts';
import type { Processor } from '../processor.ts';
import { shadowBit, state } from '../state/layout.ts';
import { setDr6 } from './debug.ts';
import { deliverEvent } from './pending.ts';

const debugVector = 1;
const nmiVector = 2;
/** No instruction pointer: not canonical. */
const nowhere = 1n << 62n;

export interface EventReceiver extends Processor {
  /** HLT was executed and no event has ended it yet. */
  halted: boolean;
  /** An NMI has arrived that is not delivered yet. */
  nmiPending: boolean;
}

/** Delivers the trap, NMI or interrupt that is due. @returns false for shutdown. */
export function deliverDue(cpu: EventReceiver): boolean {
  const delivered = deliverFirst(cpu);
  // What sets IF in emitted code must know: nobody will kick for this one again.
  cpu.state.interruptWaiting = cpu.interrupts.hasInterrupt();
  return delivered;
}

/** The interrupt would come between an STI and the instruction after it: that one runs first. */
function holdAfterSti(cpu: EventReceiver): boolean {
  const { view, rip } = cpu.state;
  if (cpu.halted || view.getBigUint64(state.afterSti, true) !== rip) return false;
  // The address alone may also match by chance, which costs one instruction; it must not do so for ever.
  view.setBigInt64(state.afterSti, nowhere, true);
  cpu.state.shadow |= shadowBit.sti;
  cpu.modeChanged();
  return true;
}

function deliverHere(cpu: EventReceiver, vector: number, source: 'trap' | 'external'): boolean {
  const { rip } = cpu.state;
  return deliverEvent(cpu, { vector, source, returnRip: rip }, rip);
}

function deliverFirst(cpu: EventReceiver): boolean {
  const { shadow } = cpu.state;
  if (cpu.debug.pending !== 0 && (shadow & shadowBit.movSs) === 0) {
    setDr6(cpu, cpu.debug.pending);
    cpu.debug.pending = 0;
    cpu.halted = false;
    return deliverHere(cpu, debugVector, 'trap');
  }
  if (cpu.nmiPending && (shadow & (shadowBit.nmi | shadowBit.movSs)) === 0) {
    cpu.nmiPending = false;
    cpu.halted = false;
    const delivered = deliverHere(cpu, nmiVector, 'external');
    cpu.state.shadow |= shadowBit.nmi;
    return delivered;
  }
  const blocked = (shadow & (shadowBit.sti | shadowBit.movSs)) !== 0 || !cpu.state.flag(eflags.if);
  if (blocked || !cpu.interrupts.hasInterrupt()) return true;
  if (holdAfterSti(cpu)) return true;
  const vector = cpu.interrupts.acknowledge();
  if (vector < 0) return true;
  cpu.halted = false;
  return deliverHere(cpu, vector, 'external');
}
