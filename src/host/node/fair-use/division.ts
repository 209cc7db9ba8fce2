/** Who gets how much processor time, and when: arithmetic alone, which every monitor does with the same numbers. */

/** What one virtual machine wants, in cores. */
export interface Claim {
  /** Above 0; what is wanted by several is divided in this proportion. */
  readonly weight: number;
  /** It gets so much first. */
  readonly least: number;
  /** It can use no more. */
  readonly most: number;
}

const rounds = 60;

/**
 * Divides `cores`: each gets its weight times a level that is the same for all, but not less than its least and not more
 * than its most. The level is the highest that there is room for; where not even all leasts fit, they shrink together.
 */
export function divide(cores: number, claims: readonly Claim[]): number[] {
  const floors = claims.map(({ least, most }) => Math.min(least, most));
  const floorSum = sum(floors);
  if (floorSum >= cores) return floors.map((floor) => (floorSum === 0 ? 0 : (floor * cores) / floorSum));
  const at = (level: number): number[] =>
    claims.map(({ weight, most }, n) => Math.min(most, Math.max(floors[n] as number, weight * level)));
  let low = 0;
  let high = Math.max(0, ...claims.map(({ weight, most }) => most / weight));
  if (sum(at(high)) <= cores) return at(high);
  for (let round = 0; round < rounds; round++) {
    const middle = (low + high) / 2;
    if (sum(at(middle)) <= cores) low = middle;
    else high = middle;
  }
  return at(low);
}

const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);

/** A part of every period, both as fractions of it; it may go on at the period's beginning. */
export interface Turn {
  readonly start: number;
  readonly length: number;
}

/**
 * When the one with that index has its turn, such that at no time more turns overlap than there are cores: McNaughton's
 * rule, which lays what everybody gets end to end on one core after the other.
 * @param dues as `divide` gives them
 */
export function turnOf(dues: readonly number[], index: number): Turn {
  const before = sum(dues.slice(0, index));
  return { start: before % 1, length: Math.min(1, dues[index] as number) };
}
