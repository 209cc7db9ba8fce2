/** IA32_APIC_BASE: which writes are legal. SDM Vol. 3A 12.12.5, figure 12-27. */
import { apicBase } from '../../spec/x86/apic.ts';

/** Whether WRMSR may replace `before` by `after`: no reserved bit, no illegal transition between the modes. */
export function isLegalBase(before: bigint, after: bigint, physicalAddressBits: number): boolean {
  if ((after & apicBase.reservedLow) !== 0n || after >> BigInt(physicalAddressBits) !== 0n) return false;
  const enable = (after & apicBase.enable) !== 0n;
  const extended = (after & apicBase.extended) !== 0n;
  if (!extended) {
    // x2APIC mode is left through the disabled state only.
    return !enable || (before & apicBase.extended) === 0n;
  }
  // It is entered from xAPIC mode only (or kept).
  return enable && (before & apicBase.enable) !== 0n;
}
