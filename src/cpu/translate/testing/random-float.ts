/** Random SSE instructions for `randomProgram`, and numbers for them to work on. */
import { modrm, type Random } from './random-program.ts';

/** From RBX on: numbers, a place for MXCSR to be stored to, and values for LDMXCSR. */
export const floatData = { bytes: 0x60, stored: 0x60, controls: 0x70, controlCount: 4 } as const;

const NP: readonly number[] = [];
const scalarPrefixes = [[0xf2], [0xf3]] as const;
const prefixes = [NP, [0x66], [0xf2], [0xf3]] as const;
/** ADD, MUL, SUB, MIN, DIV, MAX. */
const arithmetic = [0x58, 0x59, 0x5c, 0x5d, 0x5e, 0x5f] as const;

const isPacked = (prefix: readonly number[]): boolean => prefix.length === 0 || prefix[0] === 0x66;

/** A register or [rbx + displacement], aligned where it has to be. */
function source(random: Random, reg: number, bytes: number): number[] {
  if (random(3) > 0) return [modrm(3, reg, random(6))];
  return [modrm(1, reg, 3), random(floatData.bytes / bytes) * bytes];
}

function choice<T>(random: Random, list: readonly T[]): T {
  return list[random(list.length)] as T;
}

/** A scalar, or (one in `packedIn`) a packed instruction of the opcode with all four prefixes. */
function fourfold(random: Random, opcode: number, packedIn = 3): number[] {
  const prefix = random(packedIn) === 0 ? choice(random, prefixes) : choice(random, scalarPrefixes);
  return [...prefix, 0x0f, opcode, ...source(random, random(6), isPacked(prefix) ? 16 : 8)];
}

const immediate = (random: Random, code: number[]): number[] => [...code, random(8)];

/** Between registers, or register and memory in either direction. */
function move(random: Random): number[] {
  const reg = random(6);
  switch (random(6)) {
    case 0:
      return [0x66, 0x0f, 0x28, modrm(3, reg, random(6))];
    case 1: // MOVSD, MOVSS between registers: the low lane
      return [...choice(random, scalarPrefixes), 0x0f, 0x10, modrm(3, reg, random(6))];
    case 2: // MOVAPD from and to memory
      return [0x66, 0x0f, 0x28 + random(2), modrm(1, reg, 3), random(floatData.bytes / 16) * 16];
    case 3: // MOVQ from and to RAX
      return [0x66, 0x48, 0x0f, choice(random, [0x6e, 0x7e]), modrm(3, reg, 0)];
    default: // MOVSD, MOVSS from and to memory
      return [
        ...choice(random, scalarPrefixes),
        0x0f,
        0x10 + random(2),
        modrm(1, reg, 3),
        random(floatData.bytes / 8) * 8,
      ];
  }
}

function conversion(random: Random): number[] {
  const reg = random(6);
  const general = choice(random, [0, 2, 6] as const);
  const wide = random(2) === 0 ? [0x48] : [];
  switch (random(4)) {
    case 0: // CVTSI2SD, CVTSI2SS
      return [...choice(random, scalarPrefixes), ...wide, 0x0f, 0x2a, modrm(3, reg, general)];
    case 1: // CVTTSD2SI, CVTSD2SI and of singles
      return [...choice(random, scalarPrefixes), ...wide, 0x0f, 0x2c + random(2), modrm(3, general, reg)];
    case 2: // CVTSD2SS, CVTSS2SD, CVTPD2PS, CVTPS2PD
      return fourfold(random, 0x5a, 2);
    default: // CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ; CVTTPD2DQ, CVTDQ2PD, CVTPD2DQ
      return random(2) === 0
        ? [...choice(random, [NP, [0x66], [0xf3]] as const), 0x0f, 0x5b, ...source(random, reg, 16)]
        : [...choice(random, [[0x66], [0xf2], [0xf3]] as const), 0x0f, 0xe6, ...source(random, reg, 16)];
  }
}

/** Lanes moved about, bitwise logic. */
function rearrangement(random: Random): number[] {
  const reg = random(6);
  switch (random(4)) {
    case 0: // UNPCKLPD, UNPCKHPD, UNPCKLPS, UNPCKHPS
      return [...choice(random, [NP, [0x66]] as const), 0x0f, 0x14 + random(2), ...source(random, reg, 16)];
    case 1: // SHUFPS, SHUFPD
      return immediate(random, [...choice(random, [NP, [0x66]] as const), 0x0f, 0xc6, ...source(random, reg, 16)]);
    case 2: // MOVHLPS, MOVLHPS
      return [0x0f, choice(random, [0x12, 0x16]), modrm(3, reg, random(6))];
    default: // ANDPD, ANDNPD, ORPD, XORPD; XORPD of a register with itself
      return random(3) === 0
        ? [0x66, 0x0f, 0x57, modrm(3, reg, reg)]
        : [0x66, 0x0f, 0x54 + random(4), ...source(random, reg, 16)];
  }
}

/** One instruction, or a comparison with what goes by it. */
export function floatInstruction(random: Random): number[] {
  const reg = random(6);
  switch (random(17)) {
    case 0: // SQRT
      return fourfold(random, 0x51);
    case 1: // UCOMIS, COMIS, then SETcc, Jcc over a MULSD
    case 2: {
      const compare = [...choice(random, [NP, [0x66]] as const), 0x0f, 0x2e + random(2), ...source(random, reg, 8)];
      const body = [0xf2, 0x0f, 0x59, modrm(3, random(6), random(6))];
      return [...compare, 0x0f, 0x90 | random(16), modrm(3, 0, 2), 0x70 | random(16), body.length, ...body];
    }
    case 3: // CMPSD and so on
      return immediate(random, fourfold(random, 0xc2));
    case 4: // HADD, HSUB, ADDSUB
      return [
        ...choice(random, [[0x66], [0xf2]] as const),
        0x0f,
        choice(random, [0x7c, 0x7d, 0xd0]),
        ...source(random, reg, 16),
      ];
    case 5:
    case 6:
      return conversion(random);
    case 7:
    case 8:
      return rearrangement(random);
    case 9:
    case 10:
    case 11:
      return move(random);
    case 12: // LDMXCSR, STMXCSR
      if (random(3) > 0) return [0x0f, 0xae, modrm(1, 3, 3), floatData.stored];
      return [0x0f, 0xae, modrm(1, 2, 3), floatData.controls + random(floatData.controlCount) * 4];
    default:
      return fourfold(random, choice(random, arithmetic));
  }
}

const view = new DataView(new ArrayBuffer(8));

function encode(value: number, double: boolean): bigint {
  if (double) view.setFloat64(0, value);
  else view.setFloat32(0, value);
  return double ? view.getBigUint64(0) : BigInt(view.getUint32(0)) * 0x1_0000_0001n;
}

/** Normal numbers, of which some are integers. */
const ordinary = [1, -1, 0.5, 3, -7, 1.1, -0.3, 1e10, -1e-10, 255, 2 ** 40, 1 / 3, 123456.789, -65536] as const;
/** Among them numbers whose products are denormal. */
const extreme = [
  0,
  -0,
  1e300,
  2 ** -1022,
  2 ** -530,
  -(2 ** -510),
  3.4e38,
  1e-38,
  2 ** -70,
  -(2 ** -65),
  2 ** 31,
  -(2 ** 63),
  2 ** -126,
] as const;
/** Denormals, infinities, quiet and signalling NaNs of both formats. */
const special = [
  1n,
  0x000f_ffff_ffff_ffffn,
  0x8000_0000_0000_0001n,
  0x7ff0_0000_0000_0000n,
  0xfff8_0000_0000_0001n,
  0x7ff0_0000_0000_0001n,
  0x0000_0001_0040_0000n,
  0x7f80_0000_ff80_0000n,
  0x7fc0_0001_7f80_0001n,
] as const;

/** A number; `wildness` 0: ordinary, 1: or extreme, 2: or special. */
export function randomNumber(random: Random, wildness: number): bigint {
  const kind = random(6);
  if (wildness === 2 && kind === 0) return choice(random, special);
  const list: readonly number[] = wildness > 0 && kind < 3 ? extreme : ordinary;
  return encode(choice(random, list), random(3) > 0);
}

/** MXCSR: mostly all masked, to nearest; PE set or clear; now and then another mode, or an unmasked exception. */
export function randomControl(random: Random): number {
  const flags = random(2) === 0 ? 0x20 : random(64);
  const mode = random(3) > 0 ? 0 : choice(random, [0x2000, 0x4000, 0x6000, 0x8000, 0x40, 0x8040]);
  return (random(40) === 0 ? random(64) << 7 : 0x1f80) | flags | mode;
}
