/**
 * Where the guest spends its time: the instruction pointer at the end of every slice, by the code around it and by what
 * ran it, weighed by the slice's length. Slices end at control transfers, so that straight code counts for the jump at its end.
 */

/** What ran the code. */
export type Tier = 'interpreted' | 'translated';

export interface ProfileEntry {
  /** Address of the code that was seen most recently, hexadecimal. */
  readonly address: string;
  readonly tier: Tier;
  readonly milliseconds: number;
  /** The instructions from there on, one a line. */
  readonly code: string;
}

/** What is seen within so many bytes counts together. */
const grainBits = 6n;
const maxPlaces = 65_536;
const reported = 20;

interface Place {
  address: bigint;
  readonly tier: Tier;
  nanoseconds: number;
  readonly code: string;
}

export class Profile {
  readonly #places = new Map<string, Place>();

  /** @param describe gives the text of the code at `address`; called when a place is new */
  add(address: bigint, tier: Tier, nanoseconds: number, describe: () => string): void {
    const key = `${tier} ${address >> grainBits}`;
    const place = this.#places.get(key);
    if (place !== undefined) {
      place.nanoseconds += nanoseconds;
      place.address = address;
    } else if (this.#places.size < maxPlaces) {
      this.#places.set(key, { address, tier, nanoseconds, code: describe() });
    }
  }

  /** The hottest places, the hottest first. */
  hottest(): ProfileEntry[] {
    return [...this.#places.values()]
      .sort((a, b) => b.nanoseconds - a.nanoseconds)
      .slice(0, reported)
      .map(({ address, tier, nanoseconds, code }) => ({
        address: address.toString(16),
        tier,
        milliseconds: nanoseconds / 1e6,
        code,
      }));
  }
}
