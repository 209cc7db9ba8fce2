/** What is known of the xmm registers at the points of a region where ways meet. */
import type { LaneShape } from '../emit/float-emitter.ts';

export const vectorRegisters = 16;

/** At a point of the code, by register: bits of `fact`. */
export type Known = readonly number[];

/**
 * Lanes that are tame (`FloatEmitter.isTame`): those of 64 bits as binary64, those of 32 bits as binary32. And whether the
 * lowest of these widths is in a local of its own.
 */
export const fact = { doubles: 0b11, singles: 0b11_1100, ownDouble: 0x40, ownSingle: 0x80 } as const;

const firstSingle = 2;
const everyFact = fact.doubles | fact.singles | fact.ownDouble | fact.ownSingle;

export const tameLanes = ({ double, count }: LaneShape): number =>
  double ? (1 << count) - 1 : ((1 << count) - 1) << firstSingle;

/** Facts about the low `bits` of a register alone. */
export function factsWithin(bits: number): number {
  if (bits === 128) return everyFact;
  if (bits === 32) return tameLanes({ double: false, count: 1 }) | fact.ownSingle;
  return (
    tameLanes({ double: true, count: 1 }) | tameLanes({ double: false, count: 2 }) | fact.ownDouble | fact.ownSingle
  );
}

/** Facts that a change of the low `bits` of a register may make untrue. */
export const factsTouching = (bits: number): number =>
  bits === 32 ? factsWithin(32) | tameLanes({ double: true, count: 1 }) | fact.ownDouble : factsWithin(bits);

export const nothingKnown: Known = new Array<number>(vectorRegisters).fill(0);

/** What holds on both of two ways. */
export const knownOnBoth = (a: Known, b: Known): Known => a.map((facts, n) => facts & (b[n] as number));

/** By node that several ways lead to. Jumps back are emitted after their target: what they bring is known to the next pass. */
export class KnownAtJoins {
  readonly #forward = new Map<number, Known>();
  readonly #back = new Map<number, Known>();
  readonly #expected: ReadonlyMap<number, Known>;

  /** @param expected `back` of an earlier pass */
  constructor(expected: ReadonlyMap<number, Known>) {
    this.#expected = expected;
  }

  arrive(node: number, known: Known): void {
    arriveIn(this.#forward, node, known);
  }

  arriveBack(node: number, known: Known): void {
    arriveIn(this.#back, node, known);
  }

  at(node: number): Known {
    return this.#forward.get(node) ?? nothingKnown;
  }

  /** In a loop that is entered with `known`. */
  inLoop(node: number, known: Known): Known {
    return knownOnBoth(known, this.#expected.get(node) ?? nothingKnown);
  }

  /** What holds on all jumps back, if there is anything. */
  get back(): ReadonlyMap<number, Known> | undefined {
    const useful = [...this.#back.values()].some((known) => known.some((facts) => facts !== 0));
    return useful ? this.#back : undefined;
  }
}

function arriveIn(map: Map<number, Known>, node: number, known: Known): void {
  const before = map.get(node);
  map.set(node, before === undefined ? known : knownOnBoth(before, known));
}
