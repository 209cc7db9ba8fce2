/** What page walks in WebAssembly go by; see `interpret/page-walk.ts`. */
import { type GuestMemory, pageSize } from '../../memory/guest-memory.ts';
import { physicalAddressBits, pte } from '../../spec/x86/paging.ts';
import { engine } from '../state/layout.ts';
import type { PagingState } from './walk.ts';

/** How RAM lies, and which of its pages this processor may write to. */
export function describeRam(view: DataView, { size, lowSize, users }: GuestMemory): void {
  view.setInt32(engine.ramPages, size / pageSize, true);
  view.setInt32(engine.lowPages, lowSize / pageSize, true);
  view.setInt32(engine.writerBit, users.writerBit, true);
}

/** No such physical address: SDM Vol. 3A table 4-20. */
const reservedHigh = (2n ** 52n - 1n) & ~(2n ** BigInt(physicalAddressBits) - 1n);
const noExecuteBit = 1n << 63n;
/** What is left of an entry by `engine.walkMask` where a walk can go on. */
export const passable = BigInt(pte.present | pte.accessed);

/** Where they begin, if they can be done there, and what is reserved. @param allowed whether entries for writes may be made at all */
export function selectRoot(view: DataView, memory: GuestMemory, paging: PagingState, allowed: boolean): void {
  const { mode, base, noExecute, a20Mask } = paging;
  const usual = allowed && mode === '4-level' && a20Mask === -1;
  const root = usual ? memory.ramOffset(base) : -1;
  view.setInt32(engine.walkRoot, root < 0 ? 1 : root, true);
  view.setBigInt64(engine.walkMask, passable | reservedHigh | (noExecute ? 0n : noExecuteBit), true);
}
