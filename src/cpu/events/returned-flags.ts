/** The flags image that events save, and what IRET and POPF make of one. SDM Vol. 2 "IRET/IRETD/IRETQ", "POPF/POPFD/POPFQ". */
import { eflags } from '../../spec/x86/registers.ts';
import type { Processor } from '../processor.ts';
import type { Interruption } from './interrupt.ts';

/** Flags that IRET and POPF of every size load. */
export const loadedByAll =
  eflags.cf | eflags.pf | eflags.af | eflags.zf | eflags.sf | eflags.tf | eflags.df | eflags.of | eflags.nt;
/** Only those of 32 and 64 bits. */
export const loadedByWide = eflags.rf | eflags.ac | eflags.id;

/** EFLAGS after popping `image` at the privilege that IRET runs at. */
export function returnedFlags(cpu: Processor, image: number, size: 16 | 32 | 64, cpl: number): number {
  const { state } = cpu;
  let mask: number = loadedByAll;
  if (size !== 16) mask |= loadedByWide;
  if (cpl <= state.iopl) mask |= eflags.if;
  if (cpl === 0) mask |= eflags.iopl | (size === 16 ? 0 : eflags.vif | eflags.vip);
  return (state.eflags & ~mask) | (image & mask);
}

/** RF is saved set by faults, and between the rounds of a REP instruction by everything. SDM Vol. 3B 18.3.1.1. */
export function savedFlags(cpu: Processor, event: Pick<Interruption, 'source'>): number {
  const { eflags: flags, midRepeat } = cpu.state;
  return flags | (event.source === 'fault' || midRepeat ? eflags.rf : 0);
}
