/** Reference arithmetic on bigints for the tests, and operands worth trying. */

export const flagBit = { cf: 0x001, pf: 0x004, af: 0x010, zf: 0x040, sf: 0x080, of: 0x800 } as const;
export const allFlags = 0x8d5;

export const widths = [8, 16, 32, 64] as const;
export type Width = (typeof widths)[number];

export const cut = (value: bigint, bits: number): bigint => BigInt.asUintN(bits, value);
export const signed = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);
export const sign = (value: bigint, bits: number): bigint => (value >> BigInt(bits - 1)) & 1n;

/** `value` written to `bits` of a 64-bit register that held `old`: 32-bit writes clear the upper half. */
export function merged(old: bigint, value: bigint, bits: number): bigint {
  if (bits >= 32) return cut(value, bits);
  return cut(((old >> BigInt(bits)) << BigInt(bits)) | cut(value, bits), 64);
}

function evenParity(value: bigint): boolean {
  let ones = 0;
  for (let bit = 0n; bit < 8n; bit++) ones += Number((value >> bit) & 1n);
  return ones % 2 === 0;
}

/** ZF, SF and PF of a result. SDM Vol. 1 3.4.3.1. */
export function resultFlags(result: bigint, bits: number): number {
  const value = cut(result, bits);
  return (
    (value === 0n ? flagBit.zf : 0) | (sign(value, bits) === 1n ? flagBit.sf : 0) | (evenParity(value) ? flagBit.pf : 0)
  );
}

export interface Outcome {
  readonly value: bigint;
  readonly flags: number;
}

/** `a` ± `b` ± carry with all six flags, from their definitions. */
export function sum(a: bigint, b: bigint, carry: bigint, bits: number, subtract: boolean): Outcome {
  const factor = subtract ? -1n : 1n;
  const exact = a + factor * (b + carry);
  const nibble = (a & 15n) + factor * ((b & 15n) + carry);
  const exactSigned = signed(a, bits) + factor * (signed(b, bits) + carry);
  const value = cut(exact, bits);
  let flags = resultFlags(value, bits);
  if (exact !== value) flags |= flagBit.cf;
  if (nibble < 0n || nibble > 15n) flags |= flagBit.af;
  if (exactSigned !== signed(exactSigned, bits)) flags |= flagBit.of;
  return { value, flags };
}

/** A repeatable source of operands, rich in the values at which carries and signs change. */
export class Operands {
  #state = 0x2545_f491_4f6c_dd1dn;

  bits(count: number): bigint {
    this.#state = cut(this.#state ^ (this.#state << 13n), 64);
    this.#state ^= this.#state >> 7n;
    this.#state = cut(this.#state ^ (this.#state << 17n), 64);
    return cut(this.#state, count);
  }

  number(below: number): number {
    return Number(this.bits(31)) % below;
  }

  operand(bits: number): bigint {
    const half = 1n << BigInt(bits - 1);
    const edges = [0n, 1n, -1n, half, half - 1n, half + 1n, 15n, 16n, -2n];
    const choice = this.number(16);
    if (choice < edges.length) return cut(edges[choice] as bigint, bits);
    if (choice < 12) return cut(this.bits(bits) >> BigInt(this.number(bits)), bits);
    return this.bits(bits);
  }

  /** A register of which the low `bits` are such an operand. */
  register(bits: number): bigint {
    return bits === 64 ? this.operand(64) : cut((this.bits(64) << BigInt(bits)) | this.operand(bits), 64);
  }

  flags(): number {
    return Number(this.bits(12)) & allFlags;
  }
}
