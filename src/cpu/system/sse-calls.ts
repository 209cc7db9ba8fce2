/**
 * The slow path of SSE floating point: operations on the software floating-point library, with all of MXCSR. Encoding of
 * arguments and results: `emit/sse-operations.ts`. SDM Vol. 1, 11.5 and appendix E.
 */
import { vector } from '../../spec/x86/exceptions.ts';
import { floatException } from '../../spec/x86/floating-point.ts';
import { mxcsr } from '../../spec/x86/mxcsr.ts';
import { cr4 } from '../../spec/x86/registers.ts';
import { type SseOperation, sseOperations, sseShape } from '../emit/sse-operations.ts';
import { GuestFault } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import {
  clearOutcome,
  createContext,
  type FloatContext,
  mergePackedFlags,
  type Rounding,
} from '../softfloat/context.ts';
import { binary32, binary64, type Format } from '../softfloat/format.ts';
import * as sse from '../softfloat/sse.ts';
import { sseConvert, sseFromInteger, sseRoundToIntegral, sseToInteger } from '../softfloat/sse-convert.ts';
import { state } from '../state/layout.ts';

/** How lanes of a type lie in memory. */
interface Lane<T> {
  readonly bytes: 4 | 8;
  get(view: DataView, address: number): T;
  set(view: DataView, address: number, value: T): void;
}

/** Lanes of a floating-point format. */
interface FloatLane<T> extends Lane<T> {
  readonly format: Format<T>;
  readonly ones: T;
  readonly zero: T;
}

const single: FloatLane<number> = {
  bytes: 4,
  format: binary32,
  ones: 0xffff_ffff,
  zero: 0,
  get: (view, address) => view.getUint32(address, true),
  set: (view, address, value) => view.setUint32(address, value, true),
};

const double: FloatLane<bigint> = {
  bytes: 8,
  format: binary64,
  ones: 0xffff_ffff_ffff_ffffn,
  zero: 0n,
  get: (view, address) => view.getBigUint64(address, true),
  set: (view, address, value) => view.setBigUint64(address, value, true),
};

const int32: Lane<bigint> = {
  bytes: 4,
  get: (view, address) => BigInt(view.getInt32(address, true)),
  set: (view, address, value) => view.setInt32(address, Number(value), true),
};

const int64: Lane<bigint> = {
  bytes: 8,
  get: (view, address) => view.getBigInt64(address, true),
  set: (view, address, value) => view.setBigInt64(address, value, true),
};

const addressA = state.vectorScratch;
const addressB = state.vectorScratch + 16;

/** One running operation: where its operands are, and what it has raised so far. */
interface Call {
  readonly cpu: Processor;
  readonly view: DataView;
  readonly context: FloatContext;
  readonly operation: SseOperation;
  readonly lanes: number;
  readonly immediate: number;
}

function contextOf(value: number): FloatContext {
  const context = createContext();
  context.rounding = ((value >> mxcsr.roundingShift) & 3) as Rounding;
  context.daz = (value & mxcsr.daz) !== 0;
  context.ftz = (value & mxcsr.ftz) !== 0;
  context.masks = (value >> mxcsr.maskShift) & floatException.all;
  return context;
}

/** Sets the flags; raises what is unmasked: #XM, or #UD unless the operating system announced that it handles that. */
function commitFlags({ cpu, view, context }: Call, flags: number): void {
  view.setUint32(state.mxcsr, view.getUint32(state.mxcsr, true) | flags, true);
  if ((flags & ~context.masks) === 0) return;
  throw new GuestFault((cpu.state.low('cr4') & cr4.osxmmexcpt) !== 0 ? vector.xm : vector.ud);
}

function clearResult(view: DataView): void {
  view.setBigUint64(addressA, 0n, true);
  view.setBigUint64(addressA + 8, 0n, true);
}

/** Runs `compute` for each lane, commits the flags of all, then writes the results. */
function eachLane<T>(call: Call, to: Lane<T>, compute: (lane: number) => T): void {
  const { view, context } = call;
  const results: T[] = [];
  const flags: number[] = [];
  for (let lane = 0; lane < call.lanes; lane++) {
    clearOutcome(context);
    results.push(compute(lane));
    flags.push(context.flags);
  }
  commitFlags(call, mergePackedFlags(flags, context.masks));
  clearResult(view);
  for (const [lane, result] of results.entries()) to.set(view, addressA + lane * to.bytes, result);
}

/**
 * DPPS and DPPD: products, then each lane with its neighbour, then (DPPS) with the other pair; products and results outside
 * the immediate's masks are +0. Every lane adds for itself, and in the order in which AMD processors do: of several NaNs,
 * that decides which one a lane returns. SDM Vol. 2A leaves it open.
 */
function dot<T>(call: Call, lane: FloatLane<T>): void {
  const { view, context, immediate, lanes } = call;
  const { format, bytes, zero } = lane;
  const stage = (compute: (position: number) => T): T[] => {
    const flags: number[] = [];
    const results = Array.from({ length: lanes }, (_, position) => {
      clearOutcome(context);
      const result = compute(position);
      flags.push(context.flags);
      return result;
    });
    commitFlags(call, mergePackedFlags(flags, context.masks));
    return results;
  };
  let terms = stage((position) => {
    if ((immediate & (0x10 << position)) === 0) return zero;
    const at = position * bytes;
    return sse.sseMultiply(context, format, lane.get(view, addressA + at), lane.get(view, addressB + at));
  });
  for (let distance = 1; distance < lanes; distance *= 2) {
    const previous = terms;
    const neighbourFirst = distance * 2 < lanes ? distance : 0;
    terms = stage((position) => {
      const first = position ^ neighbourFirst;
      return sse.sseAdd(context, format, previous[first] as T, previous[first ^ distance] as T);
    });
  }
  for (const [position, sum] of terms.entries()) {
    const isWanted = (immediate & (1 << position)) !== 0;
    lane.set(view, addressA + position * bytes, isWanted ? sum : zero);
  }
}

function compareScalars<T>(call: Call, lane: FloatLane<T>): void {
  const { cpu, view, context, operation } = call;
  const a = lane.get(view, addressA);
  const relation = sse.sseCompare(context, lane.format, a, lane.get(view, addressB), operation === 'comi');
  commitFlags(call, context.flags);
  cpu.state.setScratch(0, BigInt(relation));
}

function convertTo<T>(call: Call, from: FloatLane<T>): void {
  const { view, context, operation } = call;
  const source = (lane: number): T => from.get(view, addressB + lane * from.bytes);
  const rounding = call.immediate === 1 ? 3 : context.rounding;
  switch (operation) {
    case 'to-single':
      eachLane(call, single, (lane) => sseConvert(context, from.format, binary32, source(lane)));
      break;
    case 'to-double':
      eachLane(call, double, (lane) => sseConvert(context, from.format, binary64, source(lane)));
      break;
    case 'to-int32':
      eachLane(call, int32, (lane) => sseToInteger(context, from.format, source(lane), 32, rounding));
      break;
    default:
      eachLane(call, int64, (lane) => sseToInteger(context, from.format, source(lane), 64, rounding));
      break;
  }
}

function convertFrom<T>(call: Call, from: Lane<bigint>, to: FloatLane<T>): void {
  eachLane(call, to, (lane) =>
    sseFromInteger(call.context, to.format, from.get(call.view, addressB + lane * from.bytes)),
  );
}

const arithmetic = {
  add: sse.sseAdd,
  sub: sse.sseSubtract,
  mul: sse.sseMultiply,
  div: sse.sseDivide,
  min: sse.sseMin,
  max: sse.sseMax,
} as const;

function run<T>(call: Call, lane: FloatLane<T>): void {
  const { view, context, operation, immediate } = call;
  const { format, bytes } = lane;
  const a = (position: number): T => lane.get(view, addressA + position * bytes);
  const b = (position: number): T => lane.get(view, addressB + position * bytes);
  switch (operation) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'min':
    case 'max':
      eachLane(call, lane, (n) => arithmetic[operation](context, format, a(n), b(n)));
      break;
    case 'addsub':
      eachLane(call, lane, (n) => arithmetic[(n & 1) === 0 ? 'sub' : 'add'](context, format, a(n), b(n)));
      break;
    case 'sqrt':
      eachLane(call, lane, (n) => sse.sseSquareRoot(context, format, b(n)));
      break;
    case 'compare':
      eachLane(call, lane, (n) => (sse.ssePredicate(context, format, a(n), b(n), immediate) ? lane.ones : lane.zero));
      break;
    case 'round':
      eachLane(call, lane, (n) => sseRoundToIntegral(context, format, b(n), immediate));
      break;
    case 'dot':
      dot(call, lane);
      break;
    case 'comi':
    case 'ucomi':
      compareScalars(call, lane);
      break;
    case 'from-int32':
      convertFrom(call, int32, lane);
      break;
    case 'from-int64':
      convertFrom(call, int64, lane);
      break;
    default:
      convertTo(call, lane);
      break;
  }
}

function sseCall(cpu: Processor): number {
  const { view } = cpu.state;
  const shape = cpu.state.scratch32(1);
  const call: Call = {
    cpu,
    view,
    context: contextOf(view.getUint32(state.mxcsr, true)),
    operation: sseOperations[cpu.state.scratch32(0)] as SseOperation,
    lanes: shape & sseShape.lanesMask,
    immediate: cpu.state.scratch32(2),
  };
  if ((shape & sseShape.double) !== 0) run(call, double);
  else run(call, single);
  return status.next;
}

/** SSE's entries of the host call table. */
export const sseCalls = { sse: sseCall } as const;
