/** Interrupt and trap gates as nearly all are, 32-bit ones and 64-bit ones alike. SDM Vol. 3A figures 6-2, 6-8; 6.12.1.3. */
import { eflags } from '../../spec/x86/registers.ts';
import type { Processor } from '../processor.ts';
import { state } from '../state/layout.ts';

/** Of a gate's second word: present, and an interrupt or trap gate. */
const usual = { mask: 0x9e00, value: 0x8e00 } as const;
const trapGate = 0x100;

export const isUsualGate = (second: number): boolean => (second & usual.mask) === usual.value;

/** What entering a handler by the gate with this second word does to EFLAGS. */
export function clearFlagsFor(cpu: Processor, second: number): void {
  const cleared = eflags.tf | eflags.vm | eflags.rf | eflags.nt | ((second & trapGate) !== 0 ? 0 : eflags.if);
  const { view } = cpu.state;
  view.setUint32(state.eflags, view.getUint32(state.eflags, true) & ~cleared, true);
}
