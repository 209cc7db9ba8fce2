/** Reference counts of 1 to 64 bits in the bytes of a refcount block. */
import { getU64, setU64 } from './header.ts';

export interface RefcountCodec {
  get(view: DataView, index: number): number;
  set(view: DataView, index: number, value: number): void;
}

/** Counts of less than a byte begin at its least significant bit. */
function partOfByte(bits: number): RefcountCodec {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  return {
    get: (view, index) => (view.getUint8(Math.floor(index / perByte)) >> ((index % perByte) * bits)) & mask,
    set: (view, index, value) => {
      const at = Math.floor(index / perByte);
      const shift = (index % perByte) * bits;
      view.setUint8(at, (view.getUint8(at) & ~(mask << shift)) | (value << shift));
    },
  };
}

const codecs: readonly RefcountCodec[] = [
  partOfByte(1),
  partOfByte(2),
  partOfByte(4),
  { get: (view, index) => view.getUint8(index), set: (view, index, value) => view.setUint8(index, value) },
  { get: (view, index) => view.getUint16(index * 2), set: (view, index, value) => view.setUint16(index * 2, value) },
  { get: (view, index) => view.getUint32(index * 4), set: (view, index, value) => view.setUint32(index * 4, value) },
  // A count beyond 2^53 is not exact; it is a damaged one.
  { get: (view, index) => getU64(view, index * 8), set: (view, index, value) => setU64(view, index * 8, value) },
];

/** @param refcountBits 1, 2, 4 … 64 */
export function refcountCodec(refcountBits: number): RefcountCodec {
  return codecs[Math.log2(refcountBits)] as RefcountCodec;
}
