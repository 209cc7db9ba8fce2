/** Loads, stores, and what only moves values or the top of the stack. SDM Vol. 1 8.3.3 and 8.3.4. */
import { floatException, roundingControl } from '../../../spec/x86/floating-point.ts';
import { x87Source, x87StoreResult } from '../../emit/x87-operations.ts';
import { isAborted, suppressesStore } from '../../softfloat/context.ts';
import { binary32, binary64, type F80, packIndefinite } from '../../softfloat/format.ts';
import {
  x87Load,
  x87LoadBcd,
  x87LoadInteger,
  x87Store,
  x87StoreBcd,
  x87StoreInteger,
} from '../../softfloat/x87-convert.ts';
import { type ConstantName, x87Constant } from '../../softfloat/x87-scale.ts';
import { extendedSource, integerSource } from './source.ts';
import { indefinite, type X87Unit } from './unit.ts';

function loadedValue(u: X87Unit): F80 {
  switch (u.source) {
    case x87Source.register:
      return u.get(u.number);
    case x87Source.single:
      return x87Load(u.context, binary32, Number(u.bits & 0xffff_ffffn));
    case x87Source.double:
      return x87Load(u.context, binary64, u.bits);
    case x87Source.extended:
      return extendedSource(u);
    case x87Source.bcd:
      return x87LoadBcd((BigInt(u.cpu.state.scratch32(3) & 0xffff) << 64n) | u.bits);
    default:
      return x87LoadInteger(integerSource(u));
  }
}

/** FLD, FILD, FBLD. */
function load(u: X87Unit): void {
  if (u.source === x87Source.register && u.isEmpty(u.number)) {
    if (u.underflow()) u.push(indefinite);
    return;
  }
  if (!u.isEmpty(7)) {
    if (u.overflow()) u.push(indefinite);
    return;
  }
  // An unmasked #D is reported, but does not keep the value out.
  const { context } = u;
  const { masks } = context;
  context.masks |= floatException.denormal;
  const value = loadedValue(u);
  if (!isAborted(context)) u.push(value);
  context.masks = masks;
}

const constant =
  (name: ConstantName) =>
  (u: X87Unit): void => {
    if (u.isEmpty(7)) u.push(x87Constant(name, u.context.rounding));
    else if (u.overflow()) u.push(indefinite);
  };

const integerWidth: Readonly<Record<number, number>> = {
  [x87Source.int16]: 16,
  [x87Source.int32]: 32,
  [x87Source.int64]: 64,
};

/** What FST, FIST, FISTTP store. */
function storedValue(u: X87Unit, truncates: boolean): bigint {
  const width = integerWidth[u.source];
  const isEmpty = u.isEmpty(0);
  if (isEmpty) u.underflow();
  if (width !== undefined) {
    if (isEmpty) return -(1n << BigInt(width - 1));
    return x87StoreInteger(u.context, u.get(0), width, truncates ? roundingControl.truncate : u.context.rounding);
  }
  if (u.source === x87Source.single) {
    return BigInt(isEmpty ? packIndefinite(binary32) : x87Store(u.context, binary32, u.get(0)));
  }
  return isEmpty ? packIndefinite(binary64) : x87Store(u.context, binary64, u.get(0));
}

/**
 * Leaves the store to emitted code, see `x87StoreResult`; where an unmasked exception suppresses it, memory is not even
 * looked at.
 */
function deferStore(u: X87Unit, significand: bigint, signExponent = 0): void {
  const { state } = u.cpu;
  if (suppressesStore(u.context)) {
    state.setScratch(1, 0n);
    return;
  }
  u.pop();
  const reports = u.unmasked === 0 ? 0 : x87StoreResult.reports;
  const pending = u.finalStatus() | (u.valid << x87StoreResult.validShift) | x87StoreResult.pending | reports;
  state.setScratch(0, significand);
  state.setScratch(1, BigInt(pending));
  state.setScratch(2, u.cpu.currentRip());
  state.setScratch(3, BigInt(signExponent));
  u.isDeferred = true;
}

/** FST m32/m64, FIST, FISTTP. */
const store =
  (truncates: boolean) =>
  (u: X87Unit): void =>
    deferStore(u, storedValue(u, truncates));

/** FSTP m80: the bits as they are. */
function storeExtended(u: X87Unit): void {
  const isEmpty = u.isEmpty(0);
  if (isEmpty) u.underflow();
  const { significand, signExponent } = isEmpty ? indefinite : u.get(0);
  deferStore(u, significand, signExponent);
}

/** SDM Vol. 1 table 4-4. */
const bcdIndefinite = 0xffff_c000_0000_0000_0000n;

function storeBcd(u: X87Unit): void {
  const isEmpty = u.isEmpty(0);
  if (isEmpty) u.underflow();
  const packed = isEmpty ? bcdIndefinite : x87StoreBcd(u.context, u.get(0));
  deferStore(u, BigInt.asUintN(64, packed), Number(packed >> 64n));
}

/** What a deferred store that leaves an unmasked #P left to do. Argument 1: its `x87StoreResult`. */
function finishStore(u: X87Unit): void {
  const pending = u.cpu.state.scratch32(1);
  u.registers.fsw = pending & x87StoreResult.fswMask;
  u.registers.valid = (pending >> x87StoreResult.validShift) & x87StoreResult.validMask;
  u.registers.fip = u.cpu.currentRip();
  u.reportPointers();
}

/** FST and FSTP to a register. */
function storeRegister(u: X87Unit): void {
  if (u.isEmpty(0)) {
    if (!u.underflow()) return;
    u.set(u.number, indefinite);
  } else {
    u.set(u.number, u.get(0));
  }
  u.pop();
}

/** FSTPNCE: FSTP that does not complain about an empty ST(0), but only pops it. */
function storeRegisterEmpty(u: X87Unit): void {
  if (!u.isEmpty(0)) u.set(u.number, u.get(0));
  u.pop();
}

function exchange(u: X87Unit): void {
  const other = u.number;
  if (u.isEmpty(0) || u.isEmpty(other)) {
    if (!u.underflow()) return;
    if (u.isEmpty(0)) u.set(0, indefinite);
    if (u.isEmpty(other)) u.set(other, indefinite);
  }
  const value = u.get(0);
  u.set(0, u.get(other));
  u.set(other, value);
}

/** FCMOVcc. Argument 3: whether the condition holds. */
function move(u: X87Unit): void {
  u.keepC1();
  if (u.isEmpty(0) || u.isEmpty(u.number)) {
    if (u.underflow()) u.set(0, indefinite);
  } else if (u.cpu.state.scratch32(3) !== 0) {
    u.set(0, u.get(u.number));
  }
}

/** FFREE and FFREEP. */
function free(u: X87Unit): void {
  u.free(u.number);
  u.pop();
}

const turn =
  (step: number) =>
  (u: X87Unit): void => {
    u.top = u.top + step;
  };

/** Operations that write what they change themselves. */
export const storeEnds = { 'finish-store': finishStore } as const;

export const moves = {
  load,
  store: store(false),
  'store-truncated': store(true),
  'store-extended': storeExtended,
  'store-bcd': storeBcd,
  'store-register': storeRegister,
  'store-register-empty': storeRegisterEmpty,
  exchange,
  move,
  free,
  'decrement-top': turn(-1),
  'increment-top': turn(1),
  'no-operation': (u: X87Unit): void => u.keepC1(),
  zero: constant('zero'),
  one: constant('one'),
  log2Of10: constant('log2Of10'),
  log2OfE: constant('log2OfE'),
  pi: constant('pi'),
  log10Of2: constant('log10Of2'),
  lnOf2: constant('lnOf2'),
} as const;
