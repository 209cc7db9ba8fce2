/** Where memory operands point, and the registers and displacement that make them point there. */
import type { CaseBuilder } from './builder.ts';
import type { Encoding } from './encoding.ts';
import { region } from './layout.ts';
import type { Random } from './random.ts';

const data = region.data.address;
const end = data + region.data.size;
const pageSize = 0x1000;

export interface TargetRules {
  /** Bytes accessed from the target on. */
  readonly width: number;
  /** Alignment that most targets should have. */
  readonly alignment: number;
  /** Misalignment is a fault: then it is the only one, for which of two comes first is the CPU's choice. */
  readonly mustAlign?: boolean;
  /** Accesses are locked: keep them inside a cache line (split locks are slow, and deadly on some hosts). */
  readonly locked?: boolean;
  /** Only where nothing faults, or nowhere non-canonical, or anywhere. */
  readonly reach: 'inside' | 'canonical' | 'anywhere';
}

/** A linear address: mostly inside the window, sometimes over its pages' edges, read-only, unmapped, non-canonical. */
export function chooseTarget(rules: TargetRules, rng: Random): bigint {
  const { width, alignment, reach } = rules;
  const aligned = (offset: number): number => offset - (offset % alignment);
  const choice = rng.below(100);
  const room = region.data.size - width + 1;
  if (reach !== 'inside') {
    if (choice < 3) return BigInt(region.readOnly.address + aligned(rng.below(pageSize - width)));
    if (choice < 4) return BigInt(end + aligned(rng.below(pageSize)));
    if (choice < 6 && reach === 'anywhere') {
      return (
        rng.pick([0x8000_0000_0000n, 0xffff_7fff_ffff_ff00n, 0x1234_5678_9abc_de00n]) + BigInt(aligned(rng.below(256)))
      );
    }
  }
  if (choice < 60) return BigInt(data + aligned(rng.below(room)));
  if (rules.locked === true) return BigInt(data + (rng.below(region.data.size) & ~63) + rng.below(65 - width));
  if (choice < 85) return BigInt(data + rng.below(room));
  if (choice < 93) return BigInt(data + pageSize - 1 - rng.below(width));
  if (rules.mustAlign === true || reach === 'inside') return BigInt(data + (rng.chance(50) ? 0 : aligned(room - 1)));
  if (choice < 96) return BigInt(end - width + rng.below(2 * width) - Math.floor(width / 2));
  return BigInt(rng.chance(50) ? end - width : data - rng.below(width));
}

/** Sign-extended range check for displacements of `bytes` bytes. */
function fits(value: bigint, bytes: number): boolean {
  return BigInt.asIntN(8 * bytes, value) === value;
}

/** Sets the low `size` bits of a register; the rest, which does not count for the address, sometimes to garbage. */
function setAddressRegister(b: CaseBuilder, register: number, value: bigint, size: number, rng: Random): void {
  const low = BigInt.asUintN(size, value);
  const width = b.mode === 64 ? 64 : 32;
  const garbage =
    size < width && rng.chance(40) ? BigInt.asUintN(width, (rng.u64() >> BigInt(size)) << BigInt(size)) : 0n;
  b.gpr[register] = low | garbage;
}

/** The displacement to use where the registers can make up for any: of its width, often tiny. */
function freeDisplacement(e: Encoding, rng: Random): bigint {
  if (e.displacementBytes === 0) return 0n;
  const bits = 8 * e.displacementBytes;
  return BigInt.asIntN(bits, rng.chance(50) ? BigInt(rng.between(-128, 127)) : rng.u64());
}

/** No register can be chosen freely: the displacement carries the address. @returns false if it cannot. */
function solveByDisplacement(e: Encoding, offset: bigint): boolean {
  const value = e.displacementBytes === 8 ? offset : BigInt.asIntN(e.addressSize, offset);
  if (e.addressSize > 8 * e.displacementBytes && !fits(value, e.displacementBytes)) return false;
  e.displacement = value;
  return true;
}

function solveScaledIndex(e: Encoding, b: CaseBuilder, offset: bigint, rng: Random): boolean {
  const index = rng.chance(50) ? BigInt(rng.below(0x1000)) : BigInt(rng.u32() >>> 4);
  const rest = BigInt.asIntN(e.addressSize, offset - (index << BigInt(e.scale)));
  if (!fits(rest, 4)) return false;
  e.displacement = rest;
  setAddressRegister(b, e.index, index, e.addressSize, rng);
  return true;
}

/** Base and index are one register: (1 + scale) × it, the remainder in the displacement as far as that goes. */
function solveDoubled(e: Encoding, b: CaseBuilder, offset: bigint, rng: Random): void {
  const factor = 1n + (1n << BigInt(e.scale));
  const value = offset / factor;
  e.displacement = e.displacementBytes === 0 ? 0n : offset - value * factor;
  setAddressRegister(b, e.base, value, e.addressSize, rng);
}

/**
 * Makes the memory operand's effective address `offset`, by choosing displacement and registers. `next` is the offset in
 * CS of the following instruction.
 * @returns false if this form cannot reach it
 */
export function solveAddress(e: Encoding, b: CaseBuilder, offset: bigint, next: number, rng: Random): boolean {
  if (e.ripRelative) {
    const distance = BigInt.asIntN(e.addressSize, offset - BigInt(next));
    e.displacement = distance;
    return fits(distance, 4);
  }
  if (e.base < 0 && e.index < 0) return solveByDisplacement(e, offset);
  if (e.base < 0) return solveScaledIndex(e, b, offset, rng);
  if (e.base === e.index) {
    solveDoubled(e, b, offset, rng);
    return true;
  }
  e.displacement = freeDisplacement(e, rng);
  let rest = offset - e.displacement;
  if (e.index >= 0) {
    const index = rng.chance(50) ? BigInt(rng.below(0x1000)) : rng.u64();
    setAddressRegister(b, e.index, index, e.addressSize, rng);
    rest -= index << BigInt(e.scale);
  }
  setAddressRegister(b, e.base, rest, e.addressSize, rng);
  return true;
}
