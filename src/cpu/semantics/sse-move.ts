/** Moves of MMX and SSE registers, sign masks, byte-masked stores, MXCSR. SDM Vol. 2. */

import { vector } from '../../spec/x86/exceptions.ts';
import { mxcsr } from '../../spec/x86/mxcsr.ts';
import { v128 } from '../../wasm/opcodes.ts';
import type { Form } from '../emit/form.ts';
import { type Ops, rdi, type Semantics } from '../emit/ops.ts';
import { state } from '../state/layout.ts';
import { operandAt } from './operands.ts';
import {
  extract,
  isMmx,
  joinLow,
  op,
  readScalar,
  readVector,
  replace,
  shuffle,
  splat8,
  swizzle,
  unary,
  zeroVector,
} from './vector.ts';

/** Destination and source of the same width; an xmm destination keeps what lies above it. */
function move(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = operandAt(x, 1);
  const isVector = [destination, source].every(({ kind }) => kind === 'xmm' || kind === 'memory');
  o.write(destination, isVector ? readScalar(o, source) : o.read(source));
  o.noteCopy(destination, source);
}

/** The source, zero-extended to the whole destination. */
function movZeroExtend(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = operandAt(x, 1);
  if (destination.kind === 'xmm' && source.kind === 'memory') {
    o.write(destination, o.readMemory(source, 'v128'));
  } else if (destination.kind === 'xmm' && source.kind === 'xmm') {
    o.write(destination, o.let(joinLow(readVector(o, source), zeroVector)));
  } else {
    const value = o.extendU(o.read(source));
    o.write(destination, isMmx(destination) ? o.let(value) : replace(v128.i64x2ReplaceLane, zeroVector, 0, value));
  }
}

/** MOVHPS, MOVHPD loads, MOVLHPS: to the high half, the low one stays. */
function movToHigh(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const value = readScalar(o, operandAt(x, 1));
  o.write(destination, replace(v128.f64x2ReplaceLane, readVector(o, destination), 1, value));
}

/** MOVHPS, MOVHPD stores, MOVHLPS: from the high half. */
function movFromHigh(o: Ops, x: Form): void {
  const source = readVector(o, operandAt(x, 1));
  o.write(operandAt(x, 0), o.let(extract(v128.f64x2ExtractLane, source, 1)));
}

const movddup: Semantics = (o, x) => o.write(operandAt(x, 0), op(v128.f64x2Splat, readScalar(o, operandAt(x, 1))));

/** The sign bits of the source's lanes as a number. */
function signMask(opcode: number): Semantics {
  return (o, x) => {
    const source = operandAt(x, 1);
    const mask = o.let(op(opcode, readVector(o, source)));
    o.write(operandAt(x, 0), o.let(isMmx(source) ? o.and(mask, 0xff) : mask));
  };
}

/**
 * MASKMOVQ, MASKMOVDQU: stores the bytes whose mask byte has its top bit set, at DS:rDI (the segment can be overridden).
 * Whatever the mask, the whole must be writable; processors look at the high half first.
 */
function maskedStore(o: Ops, x: Form): void {
  const data = readVector(o, operandAt(x, 0));
  const source = operandAt(x, 1);
  const bytes = source.bits / 8;
  const mask = op(v128.i8x16Bitmask, readVector(o, source));
  const left = o.variable('i32', o.and(mask, (1 << bytes) - 1));
  const offset = o.let(o.zeroExtend(o.gpr(rdi, 64), x.addressSize));
  const linear = o.linearOf(offset, bytes, 'write');
  for (let half = bytes - 8; half >= 0; half -= 8) o.probeWrite(o.let(o.add(linear, half)), 8);
  o.block((done) => {
    o.loop((again) => {
      o.branchIf(o.isZero(o.get(left)), done);
      const position = o.let(o.ctz(o.get(left)));
      const byte = o.let(extract(v128.i8x16ExtractLaneU, swizzle(data, splat8(position)), 0));
      const address = o.add(linear, o.extendU(position));
      o.storeMemory(o.let(o.long ? address : o.zeroExtend(address, 32)), 1, byte);
      o.set(left, o.and(o.get(left), o.sub(o.get(left), 1)));
      o.branch(again);
    });
  });
}

/** EMMS: all x87 registers empty. Like all of MMX it sets TOP to 0. SDM Vol. 3A table 14-1. */
function emms(o: Ops): void {
  o.requireMmx();
  o.enterMmx();
  o.storeState32(state.ftwValid, o.i32(0));
}

function ldmxcsr(o: Ops, x: Form): void {
  o.requireUnit(state.sseFault);
  const value = o.read(operandAt(x, 0));
  o.ifUnlikely(o.and(value, ~mxcsr.validBits), () => o.raise(vector.gp, o.i32(0)));
  o.storeState32(state.mxcsr, value);
  o.mxcsrChanged();
}

function stmxcsr(o: Ops, x: Form): void {
  o.requireUnit(state.sseFault);
  o.write(operandAt(x, 0), o.let(o.loadState32(state.mxcsr)));
}

const lowDoubles = [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11];
const highDoubles = [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15];

export const sseMove = {
  'mov-aligned': move,
  'mov-unaligned': move,
  'mov-low': move,
  movq: move,
  'mov-zero-extend': movZeroExtend,
  'mov-to-high': movToHigh,
  'mov-from-high': movFromHigh,
  movddup,
  movsldup: unary((_o, a) => shuffle(a, a, lowDoubles)),
  movshdup: unary((_o, a) => shuffle(a, a, highDoubles)),
  movmskps: signMask(v128.i32x4Bitmask),
  movmskpd: signMask(v128.i64x2Bitmask),
  pmovmskb: signMask(v128.i8x16Bitmask),
  maskmovq: maskedStore,
  maskmovdqu: maskedStore,
  emms,
  ldmxcsr,
  stmxcsr,
} as const satisfies Record<string, Semantics>;
