/**
 * The environment a floating-point operation runs in, and what it reports back.
 * SDM Vol. 1: x87 8.1.3–8.1.5 and 8.5, SSE 10.2.3 and 11.5.
 */

import { floatException, roundingControl } from '../../spec/x86/floating-point.ts';

/** A value of `roundingControl`: 0 nearest-even, 1 down, 2 up, 3 truncate. */
export type Rounding = 0 | 1 | 2 | 3;

/** Width of an x87 result's significand in bits (FCW.PC). SSE operations ignore it. */
export type Precision = 24 | 53 | 64;

/**
 * `rounding` … `masks` go in; `flags` and `roundedUp` come out.
 *
 * The operations only ever add to `flags`: clear it (see `clearOutcome`) before an operation to learn what that operation
 * raised, then merge it into FSW or MXCSR. What was raised unmasked is `flags & ~masks`. Unmasked #I, #D or #Z means that
 * nothing was computed and the returned value must be dropped (`isAborted`); flags of the later stages are then not set.
 */
export interface FloatContext {
  rounding: Rounding;
  precision: Precision;
  /** MXCSR.DAZ. x87 operations ignore it. */
  daz: boolean;
  /** MXCSR.FTZ. x87 operations ignore it. */
  ftz: boolean;
  /** Set bit = masked; bits of `floatException`. */
  masks: number;
  /** Raised exceptions; bits of `floatException`. */
  flags: number;
  /** x87 C1 of an inexact result: the magnitude was rounded up. */
  roundedUp: boolean;
}

/** The state after FNINIT (x87) and of MXCSR at reset (SSE): nearest-even, full precision, everything masked. */
export function createContext(): FloatContext {
  return {
    rounding: roundingControl.nearest,
    precision: 64,
    daz: false,
    ftz: false,
    masks: floatException.all,
    flags: 0,
    roundedUp: false,
  };
}

/** Forgets what the previous operation reported. */
export function clearOutcome(context: FloatContext): void {
  context.flags = 0;
  context.roundedUp = false;
}

/** Raises `exceptions`. @returns whether one of them is unmasked, so that the operation must stop. */
export function raise(context: FloatContext, exceptions: number): boolean {
  context.flags |= exceptions;
  return (exceptions & ~context.masks) !== 0;
}

const preComputation = floatException.invalid | floatException.denormal | floatException.zeroDivide;

/** Whether an unmasked pre-computation exception stopped the operation: its destination keeps its value. */
export function isAborted(context: FloatContext): boolean {
  return (context.flags & ~context.masks & preComputation) !== 0;
}

/**
 * Whether an x87 store to memory (FST m32/m64, FIST, FBSTP) must leave memory and the stack alone: an unmasked #I, #O or
 * #U. An unmasked #P stores first. SDM Vol. 1, 8.5.
 */
export function suppressesStore(context: FloatContext): boolean {
  return (context.flags & ~context.masks & floatException.all & ~floatException.precision) !== 0;
}

/**
 * The flags of a packed SSE operation from the flags each element raised on its own: where an element raised an unmasked
 * pre-computation exception, no element reaches the computation, so only pre-computation flags remain. SDM Vol. 1, 11.5.3.
 */
export function mergePackedFlags(elementFlags: readonly number[], masks: number): number {
  let merged = 0;
  for (const flags of elementFlags) merged |= flags;
  return (merged & ~masks & preComputation) !== 0 ? merged & preComputation : merged;
}
