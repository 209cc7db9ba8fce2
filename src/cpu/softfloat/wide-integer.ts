/** Helpers on non-negative BigInts: bit length, shifts that keep a sticky bit, square root. */

/** Number of bits up to and including the highest set one; 0 for 0. */
export function bitLength(value: bigint): number {
  let rest = value;
  let length = 0;
  while (rest > 0xffff_ffffn) {
    rest >>= 32n;
    length += 32;
  }
  return length + 32 - Math.clz32(Number(rest));
}

/** `value >> count`, with the lowest bit set where a set bit was shifted out. `count` may exceed the width. */
export function shiftRightSticky(value: bigint, count: number): bigint {
  if (value === 0n || count <= 0) return value;
  if (count > 512 && count > bitLength(value)) return 1n;
  const shift = BigInt(count);
  const kept = value >> shift;
  return BigInt.asUintN(count, value) === 0n ? kept : kept | 1n;
}

/** Integer square root, for `value` < 2^1000. */
export function integerSqrt(value: bigint): bigint {
  if (value === 0n) return 0n;
  let root = BigInt(Math.floor(Math.sqrt(Number(value))));
  // One Newton step doubles the 53 good bits; further ones run only for wide radicands.
  for (;;) {
    const next = (root + value / root) >> 1n;
    const change = next - root;
    root = next;
    if (change >= -1n && change <= 1n) break;
  }
  while (root * root > value) root -= 1n;
  while ((root + 1n) * (root + 1n) <= value) root += 1n;
  return root;
}
