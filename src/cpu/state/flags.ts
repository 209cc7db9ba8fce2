/** The lazily kept status flags (see `emit/flags.ts` for the encoding) as an EFLAGS image, for slow paths. */
import { state } from './layout.ts';

const statusMask = 0x8d5;

function parityEven(byte: number): boolean {
  let bits = byte & 0xff;
  bits ^= bits >> 4;
  bits ^= bits >> 2;
  bits ^= bits >> 1;
  return (bits & 1) === 0;
}

/** CF, PF, AF, ZF, SF, OF at their EFLAGS positions; other bits 0. */
export function readStatusFlags(view: DataView): number {
  const low = view.getUint32(state.flagResult, true);
  const high = view.getUint32(state.flagResult + 4, true);
  const aux = view.getUint32(state.flagAux, true);
  const cf = aux >>> 31;
  const of = cf ^ ((aux >>> 30) & 1);
  const pf = parityEven(low ^ (aux >>> 8)) ? 1 : 0;
  const af = (aux >>> 3) & 1;
  const zf = (low | high) === 0 ? 1 : 0;
  const sf = (high >>> 31) ^ (aux & 1);
  return cf | (pf << 2) | (af << 4) | (zf << 6) | (sf << 7) | (of << 11);
}

/** Sets the six status flags from an EFLAGS image. */
export function writeStatusFlags(view: DataView, image: number): void {
  const bit = (n: number): number => (image >>> n) & 1;
  const zf = bit(6);
  const aux = (bit(0) << 31) | ((bit(0) ^ bit(11)) << 30) | ((bit(2) ^ zf) << 8) | (bit(4) << 3) | bit(7);
  view.setUint32(state.flagResult, zf ^ 1, true);
  view.setUint32(state.flagResult + 4, 0, true);
  view.setInt32(state.flagAux, aux, true);
}

/** The whole EFLAGS register. */
export const readEflags = (view: DataView): number =>
  ((view.getUint32(state.eflags, true) & ~statusMask) | readStatusFlags(view) | 2) >>> 0;

/** Sets every bit of EFLAGS that is not reserved (SDM Vol. 1 3.4.3). Callers apply privilege rules first. */
export function writeEflags(view: DataView, image: number): void {
  writeStatusFlags(view, image);
  view.setUint32(state.eflags, (image & 0x003f_7700) | 2, true);
}
