/**
 * What the host call 'x87' does. Arguments in `state.scratch`:
 * 0 an operation code (`x87Code`), 1 the number i of ST(i) or the memory operand's value (of m80 the significand), 2 the
 * memory operand's effective address, 3 sign and exponent of m80, or the condition of a move. Environments, whose fields
 * are as wide as the source int16 or int32: 1 linear address of the first byte, 2 of the last, 3 effective address.
 */
// biome-ignore format: a list, grouped.
export const x87Operations = [
  // Destination op source, into the destination
  'add', 'multiply', 'subtract', 'subtract-reverse', 'divide', 'divide-reverse',
  // ST(0) against the source: condition codes, or EFLAGS
  'compare', 'compare-quiet', 'compare-flags', 'compare-flags-quiet', 'test', 'examine',
  // Moves. `store` of numbers that fit registers: see `x87StoreResult`
  'load', 'store', 'store-truncated', 'store-extended', 'store-bcd', 'store-register', 'store-register-empty',
  'finish-store', 'exchange',
  'move', 'free', 'decrement-top', 'increment-top', 'no-operation',
  'zero', 'one', 'log2Of10', 'log2OfE', 'pi', 'log10Of2', 'lnOf2',
  // ST(0), and ST(1) where it takes part
  'change-sign', 'absolute', 'square-root', 'round', 'scale', 'extract', 'remainder', 'remainder-nearest',
  'exponential', 'logarithm', 'logarithm-plus-one', 'tangent', 'arctangent', 'sine', 'cosine', 'sine-cosine',
  // Environments
  'touch-read', 'touch-write', 'store-environment', 'load-environment', 'save', 'restore',
] as const;

export type X87Operation = (typeof x87Operations)[number];

/** Where the source operand comes from. */
export const x87Source = {
  register: 0,
  single: 1,
  double: 2,
  extended: 3,
  int16: 4,
  int32: 5,
  int64: 6,
  bcd: 7,
} as const;

/** Fields of the operation code: position in `x87Operations`, source, whether ST(i) is the destination, number of pops. */
export const x87Code = { operationMask: 0xff, sourceShift: 8, sourceMask: 7, toRegister: 0x800, popShift: 12 } as const;

/**
 * What stores to memory leave for emitted code to do: scratch 0 holds the value (of m80 the significand, scratch 3 the
 * rest). Scratch 1 is 0 when nothing is left to do; otherwise FSW in the low half, tags above it, `pending` set: they and
 * FIP (scratch 2) are to be written once the value has been stored; with `reports` by 'finish-store'.
 */
export const x87StoreResult = {
  fswMask: 0xffff,
  validShift: 16,
  validMask: 0xff,
  pending: 0x100_0000,
  reports: 0x200_0000,
} as const;
