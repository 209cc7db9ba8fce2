/** Turns an SSE operation into requests and compares the CPU's replies with the library: results, flags, traps. */

import { createContext, type FloatContext, type Rounding } from '../../../src/cpu/softfloat/context.ts';
import type { Comparison } from './comparison.ts';
import type { Random } from './operands.ts';
import type { OracleReply, OracleRequest } from './records.ts';
import type { SseOperation } from './sse-operations.ts';

/** MXCSR fields. SDM Vol. 1 figure 10-3. */
const dazBit = 0x40;
const ftzBit = 0x8000;
const maskShift = 7;
const roundingShift = 13;

export function makeSseRequests(operation: SseOperation, random: Random, count: number): OracleRequest[] {
  return Array.from({ length: count }, (_, i) => {
    const [a, b] = operation.operands(random);
    const masks = random.below(8) === 0 ? random.below(64) : 0x3f;
    const flushing = (random.below(4) === 0 ? dazBit : 0) | (random.below(4) === 0 ? ftzBit : 0);
    return { control: (masks << maskShift) | ((i & 3) << roundingShift) | flushing, a, b };
  });
}

function contextOf(mxcsr: number): FloatContext {
  const context = createContext();
  context.rounding = ((mxcsr >> roundingShift) & 3) as Rounding;
  context.masks = (mxcsr >> maskShift) & 0x3f;
  context.daz = (mxcsr & dazBit) !== 0;
  context.ftz = (mxcsr & ftzBit) !== 0;
  return context;
}

export function compareSse(operation: SseOperation, request: OracleRequest, reply: OracleReply): Comparison {
  const context = contextOf(request.control);
  const predicted = operation.predict(context, request.a, request.b);
  const trapped = (context.flags & ~context.masks) !== 0;
  const got: Record<string, unknown> = { flags: reply.status & 0x3f, trapped: reply.trapped };
  const want: Record<string, unknown> = { flags: context.flags, trapped };
  if (!trapped && predicted.r0 !== undefined) {
    got.r0 = BigInt.asUintN(operation.width, reply.r0).toString(16);
    want.r0 = predicted.r0.toString(16);
  }
  if (!trapped && predicted.memory !== undefined) {
    got.memory = reply.memory.toString(16);
    want.memory = predicted.memory.toString(16);
  }
  const [cpu, library] = [JSON.stringify(got), JSON.stringify(want)];
  if (cpu === library) return { isExact: true };
  const where = `a=${request.a.toString(16)} b=${request.b.toString(16)} mxcsr=${request.control.toString(16)}`;
  return { isExact: false, difference: `${operation.name} ${where}: CPU ${cpu}, library ${library}` };
}
