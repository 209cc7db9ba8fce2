/**
 * x87: checks and operands here, the arithmetic in `system/x87`. Waiting instructions raise #MF for a pending unmasked
 * exception before anything else. With CR0.NE = 0 the interrupt that FERR# would request is not wired: #MF as well.
 */

import { vector } from '../../spec/x86/exceptions.ts';
import { floatException } from '../../spec/x86/floating-point.ts';
import { cr0 } from '../../spec/x86/registers.ts';
import { x87Control, x87Reset, x87Status } from '../../spec/x86/x87.ts';
import { load } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form, Operand } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { type X87Operation, x87Source, x87StoreResult } from '../emit/x87-operations.ts';
import { state } from '../state/layout.ts';
import { operandAt } from './operands.ts';
import { type CallOptions, codeOf, raisePending, requireX87, wait } from './x87-call.ts';
import { environments } from './x87-environment.ts';
import { exchange, loadConstant, loadRegister, storeRegister } from './x87-stack.ts';

/** WAIT alone needs CR0.MP for its #NM, and ignores CR0.EM. SDM Vol. 3A table 2-2. */
function fwait(o: Ops): void {
  const both = cr0.mp | cr0.ts;
  o.ifUnlikely(o.eq(o.and(o.loadState32(state.cr0), both), both), () => o.raise(vector.nm));
  raisePending(o);
}

/** Operations on registers that the instruction implies. */
const implied =
  (operation: X87Operation, pops = 0): Semantics =>
  (o) => {
    wait(o);
    o.host('x87', o.i32(codeOf(operation, { pops })));
  };

/** Two registers, implied: FCOMPP and FUCOMPP compare with ST(1). */
const withSecond =
  (operation: X87Operation, pops: number): Semantics =>
  (o) => {
    wait(o);
    o.host('x87', o.i32(codeOf(operation, { pops })), o.i32(1));
  };

const floatSource: Readonly<Record<number, number>> = {
  32: x87Source.single,
  64: x87Source.double,
  80: x87Source.extended,
};
const integerSource: Readonly<Record<number, number>> = {
  16: x87Source.int16,
  32: x87Source.int32,
  64: x87Source.int64,
};

function sourceOf(operand: Operand, sources: Readonly<Record<number, number>>): number {
  const source = sources[operand.bits];
  if (source === undefined) throw new Error(`x87 operand of ${operand.bits} bits`);
  return source;
}

const zero64 = (o: Ops): Value => o.i64(0);

/** Calls with the value of a memory operand; one of 80 bits is two accesses, as in the processor. */
function callWithMemory(o: Ops, operand: Operand, operation: X87Operation, options: CallOptions): void {
  const code = o.i32(codeOf(operation, options));
  const effective = o.let(o.effectiveAddress(operand));
  if (operand.bits !== 80) {
    o.host('x87', code, o.read(operand), effective);
    return;
  }
  const significand = o.read(o.part(operand, 0, 64));
  const signExponent = o.read(o.part(operand, 8, 16));
  o.host('x87', code, significand, effective, signExponent);
}

/** Operations on ST(0) or ST(i) and a second register or memory operand. */
const withOperand =
  (operation: X87Operation, sources: Readonly<Record<number, number>> = floatSource, pops = 0): Semantics =>
  (o, x) => {
    wait(o);
    const other = x.operands.find(({ kind, field }) => kind === 'memory' || field === 'rm');
    if (other === undefined) throw new Error(`${x.row.mnemonic} has no second operand`);
    if (other.kind === 'memory') {
      callWithMemory(o, other, operation, { source: sourceOf(other, sources), pops });
      return;
    }
    const toRegister = operandAt(x, 0).field === 'rm';
    o.host('x87', o.i32(codeOf(operation, { toRegister, pops })), o.registerNumber(other));
  };

const load80 = (source: number): Readonly<Record<number, number>> => ({ 80: source });

/** Writes what a deferred store left to do, now that the value is in memory. */
function finishStore(o: Ops, pending: Value, fip: Value, code: number, effective: Value): void {
  o.ifLikely(
    o.isZero(o.and(pending, x87StoreResult.reports)),
    () => {
      o.storeState32(state.fsw, o.and(pending, x87StoreResult.fswMask));
      o.storeState32(state.ftwValid, o.and(o.shrU(pending, x87StoreResult.validShift), x87StoreResult.validMask));
      o.storeState64(state.fip, fip);
    },
    () => o.host('x87', o.i32(code), pending, effective),
  );
}

/** Stores to memory. What suppresses the store comes first, then the address, then the rest. */
function storeNumber(o: Ops, operand: Operand, operation: X87Operation, options: CallOptions): void {
  const effective = o.let(o.effectiveAddress(operand));
  o.host('x87', o.i32(codeOf(operation, options)), o.i32(0), effective);
  const bytes = Math.min(operand.bits / 8, 8);
  const value = o.let(bytes === 8 ? o.loadState64(state.scratch) : o.loadState32(state.scratch));
  const pending = o.let(o.loadState32(state.scratch + 8));
  const fip = o.let(o.loadState64(state.scratch + 16));
  const signExponent = o.let(o.loadState32(state.scratch + 24));
  o.ifLikely(pending, () => {
    o.write(o.part(operand, 0, bytes * 8), value);
    if (operand.bits === 80) o.write(o.part(operand, 8, 16), signExponent);
    finishStore(o, pending, fip, codeOf('finish-store', options), effective);
  });
}

const storeFloat =
  (pops: number): Semantics =>
  (o, x) => {
    wait(o);
    const target = operandAt(x, 0);
    if (target.kind !== 'memory') storeRegister(o, target, pops);
    else {
      const operation = target.bits === 80 ? 'store-extended' : 'store';
      storeNumber(o, target, operation, { source: sourceOf(target, floatSource), pops });
    }
  };

const storeInteger =
  (operation: 'store' | 'store-truncated', pops: number): Semantics =>
  (o, x) => {
    wait(o);
    const target = operandAt(x, 0);
    storeNumber(o, target, operation, { source: sourceOf(target, integerSource), pops });
  };

const withRegister =
  (operation: X87Operation, pops = 0): Semantics =>
  (o, x) => {
    wait(o);
    const register = x.operands.find(({ field }) => field === 'rm');
    if (register === undefined) throw new Error(`${x.row.mnemonic} names no register`);
    o.host('x87', o.i32(codeOf(operation, { pops })), o.registerNumber(register));
  };

function conditionalMove(o: Ops, x: Form): void {
  wait(o);
  const holds = o.let(o.ne(o.condition(x.row.condition as number), 0));
  o.host('x87', o.i32(codeOf('move')), o.registerNumber(operandAt(x, 1)), zero64(o), holds);
}

function fbstp(o: Ops, x: Form): void {
  wait(o);
  storeNumber(o, operandAt(x, 0), 'store-bcd', { source: x87Source.bcd, pops: 1 });
}

const word = (o: Ops, address: number): Value => o.let(o.loadState(load.i32_16u, 'i32', o.i32(0), address));

const storeWord =
  (address: number): Semantics =>
  (o, x) => {
    requireX87(o);
    o.write(operandAt(x, 0), word(o, address));
  };

/** FSW with ES and B as flags and masks ask for. */
function storeSummarized(o: Ops, fsw: Value, fcw: Value): void {
  const flags = o.and(o.and(fsw, o.not(fcw)), floatException.all);
  const quiet = o.and(fsw, 0xffff & ~x87Status.summary);
  o.storeState32(state.fsw, o.select(flags, o.or(quiet, o.i32(x87Status.summary)), quiet));
}

function fldcw(o: Ops, x: Form): void {
  wait(o);
  const image = o.read(operandAt(x, 0));
  const fcw = o.let(o.or(o.and(image, x87Control.writable), x87Control.fixedOnes));
  o.storeState32(state.fcw, fcw);
  storeSummarized(o, word(o, state.fsw), fcw);
}

/** FNCLEX clears exception flags, SF, ES and B. */
function fnclex(o: Ops): void {
  requireX87(o);
  o.storeState32(state.fsw, o.and(word(o, state.fsw), x87Status.conditions | x87Status.topMask));
}

function fninit(o: Ops): void {
  requireX87(o);
  o.storeState32(state.fcw, o.i32(x87Reset.fcwAfterInit));
  for (const field of [state.fsw, state.ftwValid, state.fop, state.fcs, state.fds]) o.storeState32(field, o.i32(0));
  for (const field of [state.fip, state.fdp]) o.storeState64(field, o.i64(0));
}

const arithmeticForms = (name: string, operation: X87Operation): Record<string, Semantics> => ({
  [`f${name}`]: withOperand(operation),
  [`f${name}p`]: withOperand(operation, floatSource, 1),
  [`fi${name}`]: withOperand(operation, integerSource),
});

const constants: Record<string, Semantics> = {
  fldz: loadConstant('zero', 0n, 0),
  fld1: loadConstant('one', 1n << 63n, 0x3fff),
  fldl2t: implied('log2Of10'),
  fldl2e: implied('log2OfE'),
  fldpi: implied('pi'),
  fldlg2: implied('log10Of2'),
  fldln2: implied('lnOf2'),
};

const comparisons: Record<string, Semantics> = {
  fcom: withOperand('compare'),
  fcomp: withOperand('compare', floatSource, 1),
  fcompp: withSecond('compare', 2),
  ficom: withOperand('compare', integerSource),
  ficomp: withOperand('compare', integerSource, 1),
  fucom: withOperand('compare-quiet'),
  fucomp: withOperand('compare-quiet', floatSource, 1),
  fucompp: withSecond('compare-quiet', 2),
  fcomi: withOperand('compare-flags'),
  fcomip: withOperand('compare-flags', floatSource, 1),
  fucomi: withOperand('compare-flags-quiet'),
  fucomip: withOperand('compare-flags-quiet', floatSource, 1),
  ftst: implied('test'),
  fxam: implied('examine'),
};

const functions: Record<string, Semantics> = {
  fchs: implied('change-sign'),
  fabs: implied('absolute'),
  fsqrt: implied('square-root'),
  frndint: implied('round'),
  fscale: implied('scale'),
  fxtract: implied('extract'),
  fprem: implied('remainder'),
  fprem1: implied('remainder-nearest'),
  f2xm1: implied('exponential'),
  fyl2x: implied('logarithm'),
  fyl2xp1: implied('logarithm-plus-one'),
  fptan: implied('tangent'),
  fpatan: implied('arctangent'),
  fsin: implied('sine'),
  fcos: implied('cosine'),
  fsincos: implied('sine-cosine'),
};

const loadNumber = withOperand('load');

const moves: Record<string, Semantics> = {
  fld: (o, x) => (operandAt(x, 0).kind === 'memory' ? loadNumber : loadRegister)(o, x),
  fild: withOperand('load', integerSource),
  fbld: withOperand('load', load80(x87Source.bcd)),
  fst: storeFloat(0),
  fstp: storeFloat(1),
  fist: storeInteger('store', 0),
  fistp: storeInteger('store', 1),
  fisttp: storeInteger('store-truncated', 1),
  fbstp,
  fstpnce: withRegister('store-register-empty', 1),
  fxch: exchange,
  fcmovcc: conditionalMove,
  ffree: withRegister('free'),
  ffreep: withRegister('free', 1),
  fdecstp: implied('decrement-top'),
  fincstp: implied('increment-top'),
  fnop: implied('no-operation'),
  fneni: requireX87,
};

const controls: Record<string, Semantics> = {
  fwait,
  fninit,
  fnclex,
  fldcw,
  fnstcw: storeWord(state.fcw),
  fnstsw: storeWord(state.fsw),
  ...environments,
};

export const x87: Readonly<Record<string, Semantics>> = {
  ...arithmeticForms('add', 'add'),
  ...arithmeticForms('mul', 'multiply'),
  ...arithmeticForms('sub', 'subtract'),
  ...arithmeticForms('subr', 'subtract-reverse'),
  ...arithmeticForms('div', 'divide'),
  ...arithmeticForms('divr', 'divide-reverse'),
  ...constants,
  ...comparisons,
  ...functions,
  ...moves,
  ...controls,
};
