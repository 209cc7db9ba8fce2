/** Pages with code that are going to be overwritten many bytes at once: a page of a program that has ended is another's now. */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { accessLinear, isCanonical } from './access-linear.ts';
import type { Mmu } from './mmu.ts';

/**
 * `bytes` of a page, from the address that `accessLinear` gives on, are about to be written: code that lies there is given up, and
 * if none is left the page can be written to as others can. Otherwise each element would take the slow way. Raises nothing.
 * @returns 1 if the TLB has the page for writes now, 0 if not
 */
export function openForWrites(mmu: Mmu, memory: GuestMemory, view: DataView, bytes: number): number {
  const linear = accessLinear(view);
  if (mmu.log.active || !isCanonical(linear, bytes)) return 0;
  const isOpen = (): boolean => mmu.ramAt(linear, true, false) >= 0;
  if (isOpen()) return 1;
  const ramOffset = mmu.ramAt(linear, false, false);
  if (ramOffset < 0 || !mmu.mayWrite(linear)) return 0;
  memory.markWritten(ramOffset, bytes);
  // Others hear of it before it has happened, too; what they decode meanwhile they are told of with each element.
  memory.written(ramOffset, bytes);
  return isOpen() ? 1 : 0;
}
