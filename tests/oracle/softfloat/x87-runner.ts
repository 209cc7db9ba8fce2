/** Turns an x87 operation into requests and compares the CPU's replies: registers, memory, flags, C1, conditions. */

import {
  createContext,
  type FloatContext,
  isAborted,
  type Rounding,
  suppressesStore,
} from '../../../src/cpu/softfloat/context.ts';
import { floatException } from '../../../src/spec/x86/floating-point.ts';
import type { Comparison } from './comparison.ts';
import type { Random } from './operands.ts';
import { f80OfImage, type Image, imageOfF80, type OracleReply, type OracleRequest } from './records.ts';
import { c0, c1, c2, c3, type X87Operation, type X87Prediction } from './x87-operations.ts';

/** FCW fields. SDM Vol. 1 figure 8-6. Bit 6 is always set. */
const reservedBit = 0x40;
const precisionShift = 8;
const roundingShift = 10;
const precisionFields = [0, 2, 3, 3, 3] as const;
const conditionMask = c0 | c1 | c2 | c3;

export function makeX87Requests(operation: X87Operation, random: Random, count: number): OracleRequest[] {
  return Array.from({ length: count }, (_, i) => {
    const [a, b] = operation.operands(random);
    const masks = random.below(6) === 0 ? random.below(64) : 0x3f;
    const precision = random.pick(precisionFields) << precisionShift;
    return { control: masks | reservedBit | precision | ((i & 3) << roundingShift), a, b };
  });
}

function contextOf(fcw: number): FloatContext {
  const context = createContext();
  const precision = (fcw >> precisionShift) & 3;
  context.masks = fcw & 0x3f;
  context.precision = precision === 0 ? 24 : precision === 2 ? 53 : 64;
  context.rounding = ((fcw >> roundingShift) & 3) as Rounding;
  return context;
}

/** Distance in units in the last place of two extended images of one sign and class. */
function distance(a: Image, b: Image): bigint {
  const order = (image: Image): bigint => {
    const { significand, signExponent } = f80OfImage(image);
    const magnitude = (BigInt(signExponent & 0x7fff) << 63n) + BigInt.asUintN(63, significand);
    return signExponent >= 0x8000 ? -magnitude : magnitude;
  };
  const difference = order(a) - order(b);
  return difference < 0n ? -difference : difference;
}

const registerMask = (1n << 80n) - 1n;

interface Observed {
  flags: number;
  conditions: number;
  st0?: string;
  st1?: string;
  memory?: string;
}

/** The parts of both sides that the operation defines, in this case. */
function observe(context: FloatContext, predicted: X87Prediction, reply: OracleReply): [Observed, Observed] {
  const aborted = isAborted(context);
  const isComparable = !aborted && !(predicted.memory !== undefined && suppressesStore(context));
  const definedConditions = predicted.conditions === undefined ? c1 : conditionMask;
  const wantConditions = (predicted.conditions ?? 0) | (context.roundedUp && !aborted ? c1 : 0);
  const got: Observed = { flags: reply.status & 0x3f, conditions: reply.status & definedConditions };
  const want: Observed = { flags: context.flags, conditions: wantConditions };
  if (!isComparable) return [got, want];
  if (predicted.memory !== undefined) {
    got.memory = reply.memory.toString(16);
    want.memory = predicted.memory.toString(16);
  }
  if (predicted.st0 !== undefined) {
    got.st0 = (reply.r0 & registerMask).toString(16);
    want.st0 = imageOfF80(predicted.st0).toString(16);
  }
  if (predicted.st1 !== undefined) {
    got.st1 = (reply.r1 & registerMask).toString(16);
    want.st1 = imageOfF80(predicted.st1).toString(16);
  }
  return [got, want];
}

function isNear(got: string | undefined, want: string | undefined, tolerance: number): boolean {
  if (got === undefined || want === undefined) return got === want;
  return distance(BigInt(`0x${got}`), BigInt(`0x${want}`)) <= BigInt(tolerance);
}

/** The result is the smallest normal number, one unit from a denormal that underflowed. */
function atUnderflowEdge({ st0, st1 }: Observed): boolean {
  return [st0, st1].some((image) => image === '18000000000000000' || image === '80018000000000000000');
}

export function compareX87(operation: X87Operation, request: OracleRequest, reply: OracleReply): Comparison {
  const context = contextOf(request.control);
  const predicted = operation.predict(context, request.a, request.b);
  const [got, want] = observe(context, predicted, reply);
  const [cpu, library] = [JSON.stringify(got), JSON.stringify(want)];
  if (cpu === library) return { isExact: true };
  const tolerance = operation.tolerance ?? 0;
  if (tolerance > 0 && isNear(got.st0, want.st0, tolerance) && isNear(got.st1, want.st1, tolerance)) {
    // One unit apart, the rounding direction differs too; everything else must not, except across the edge to denormals.
    const ignored = atUnderflowEdge(got) || atUnderflowEdge(want) ? floatException.underflow : 0;
    const sameFlags = (got.flags | ignored) === (want.flags | ignored);
    const sameConditions = (got.conditions | c1) === (want.conditions | c1);
    if (sameFlags && sameConditions) return { isExact: got.st0 === want.st0 && got.st1 === want.st1 };
  }
  const where = `a=${request.a.toString(16)} b=${request.b.toString(16)} fcw=${request.control.toString(16)}`;
  return { isExact: false, difference: `${operation.name} ${where}: CPU ${cpu}, library ${library}` };
}
