/**
 * Where the guest spends its time: the instruction pointer at the end of every slice, by the code around it and by what ran
 * it. Slices end at control transfers, so that straight code counts for the jump at its end.
 */

/** What ran the code. */
export type Tier = 'interpreted' | 'translated';

export interface ProfileEntry {
  /** Address of the code that was seen most recently, hexadecimal. */
  readonly address: string;
  readonly tier: Tier;
  readonly samples: number;
  /** The instructions from there on, one a line. */
  readonly code: string;
}

/** Samples within so many bytes count together. */
const grainBits = 6n;
const maxPlaces = 65_536;
const reported = 20;

interface Place {
  address: bigint;
  readonly tier: Tier;
  samples: number;
  readonly code: string;
}

export class Profile {
  readonly #places = new Map<string, Place>();
  #samples = 0;

  /** @param describe gives the text of the code at `address`; called when a place is new */
  add(address: bigint, tier: Tier, describe: () => string): void {
    this.#samples++;
    const key = `${tier} ${address >> grainBits}`;
    const place = this.#places.get(key);
    if (place !== undefined) {
      place.samples++;
      place.address = address;
    } else if (this.#places.size < maxPlaces) {
      this.#places.set(key, { address, tier, samples: 1, code: describe() });
    }
  }

  /** Samples in all. */
  get samples(): number {
    return this.#samples;
  }

  /** The hottest places, the hottest first. */
  hottest(): ProfileEntry[] {
    return [...this.#places.values()]
      .sort((a, b) => b.samples - a.samples)
      .slice(0, reported)
      .map(({ address, tier, samples, code }) => ({ address: address.toString(16), tier, samples, code }));
  }
}
