/**
 * What the host call 'sse' computes: SSE floating-point operations whose result or flags need more than WebAssembly's
 * arithmetic. Arguments in `state.scratch`: the operation's position here, a shape (`sseShape`), an immediate; operands and
 * result in `state.vectorScratch` (a first, then b; the result replaces a, its other lanes zero).
 */
export const sseOperations = [
  // a op b, lane by lane
  'add',
  'sub',
  'mul',
  'div',
  'min',
  'max',
  // Even lanes a - b, odd lanes a + b
  'addsub',
  // sqrt(b), lane by lane
  'sqrt',
  // Predicate `immediate` of CMPPS as a mask of ones
  'compare',
  // b rounded to integers as the immediate of ROUNDPS says
  'round',
  // DPPS, DPPD under `immediate`
  'dot',
  // COMISS and UCOMISS; the result is a `relation` in scratch 0
  'comi',
  'ucomi',
  // Conversions of b; `immediate`: 1 truncate, 0 round as MXCSR says. The shape's format is the floating-point source, or,
  // of an integer source, the destination
  'to-single',
  'to-double',
  'to-int32',
  'to-int64',
  'from-int32',
  'from-int64',
] as const;

export type SseOperation = (typeof sseOperations)[number];

/** The shape argument: how many lanes count, and whether the floating-point lanes are binary64. */
export const sseShape = { lanesMask: 0xff, double: 0x100 } as const;
