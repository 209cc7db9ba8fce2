/** Runs MMX and SSE instructions: `machine.ts` with vector registers. */
import { state } from '../../state/layout.ts';
import { type End, program, type Start, stateView, type Variant } from './machine.ts';

export interface VectorStart extends Start {
  /** The operand in modrm.reg and the one in modrm.rm: 128 bits, of which MMX registers take the low half. */
  readonly reg?: bigint;
  readonly rm?: bigint;
  readonly xmm0?: bigint;
  readonly mxcsr?: number;
  /** x87 status word. */
  readonly fsw?: number;
}

export interface VectorEnd extends End {
  readonly xmmReg: bigint;
  readonly xmmRm: bigint;
  readonly xmm0: bigint;
  readonly mmxReg: bigint;
  /** Sign and exponent of the x87 register under `mmxReg`. */
  readonly mmxRegTop: number;
  readonly mxcsr: number;
  readonly fsw: number;
  /** One bit per x87 register that is not empty. */
  readonly valid: number;
}

const regAt = 16;
const rmAt = 32;

function readVector(address: number): bigint {
  return (stateView.getBigUint64(address + 8, true) << 64n) | stateView.getBigUint64(address, true);
}

function writeVector(address: number, value: bigint): void {
  stateView.setBigUint64(address, BigInt.asUintN(64, value), true);
  stateView.setBigUint64(address + 8, BigInt.asUintN(64, value >> 64n), true);
}

function load(start: VectorStart): void {
  const { reg = 0n, rm = 0n } = start;
  writeVector(state.xmm, start.xmm0 ?? 0n);
  writeVector(state.xmm + regAt, reg);
  writeVector(state.xmm + rmAt, rm);
  for (const [at, value] of [
    [regAt, reg],
    [rmAt, rm],
  ] as const) {
    writeVector(state.fpr + at, BigInt.asUintN(64, value));
  }
  stateView.setUint32(state.mxcsr, start.mxcsr ?? 0x1f80, true);
  stateView.setUint32(state.fsw, start.fsw ?? 0, true);
  stateView.setUint32(state.ftwValid, 0, true);
}

/** As `program`, with vector registers. Slow paths are counted in `hostCalls`, not run. */
export function vectorProgram(
  mnemonic: string,
  operands: string,
  variant: Variant = {},
): (start: VectorStart) => VectorEnd {
  const run = program(mnemonic, operands, variant);
  return (start) => {
    load(start);
    return {
      ...run(start),
      xmmReg: readVector(state.xmm + regAt),
      xmmRm: readVector(state.xmm + rmAt),
      xmm0: readVector(state.xmm),
      mmxReg: stateView.getBigUint64(state.fpr + regAt, true),
      mmxRegTop: stateView.getUint16(state.fpr + regAt + 8, true),
      mxcsr: stateView.getUint32(state.mxcsr, true),
      fsw: stateView.getUint32(state.fsw, true),
      valid: stateView.getUint32(state.ftwValid, true),
    };
  };
}

/** The lanes of `bits` each of a vector of `width` bits, lowest first. */
export function lanesOf(value: bigint, bits: number, width = 128): bigint[] {
  return Array.from({ length: width / bits }, (_, n) => BigInt.asUintN(bits, value >> BigInt(n * bits)));
}

export function fromLanes(values: readonly bigint[], bits: number): bigint {
  return values.reduce((all, value, n) => all | (BigInt.asUintN(bits, value) << BigInt(n * bits)), 0n);
}
