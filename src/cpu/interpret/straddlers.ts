import { pageSize } from '../../memory/guest-memory.ts';
import { maxInstructionLength } from '../decode/state.ts';

/** Instructions that two pages share, by where they begin; they are good while both pages stay where they are. */
interface Straddler {
  readonly record: number;
  readonly secondPage: number;
}

/** As many bytes as an instruction may have, from `ramOffset` on and from the beginning of `secondPage` on. */
export function bytesAcross(ram: Uint8Array, ramOffset: number, secondPage: number): Uint8Array {
  const bytes = new Uint8Array(maxInstructionLength);
  const first = pageSize - (ramOffset % pageSize);
  bytes.set(ram.subarray(ramOffset, ramOffset + first));
  const second = secondPage * pageSize;
  bytes.set(ram.subarray(second, second + maxInstructionLength - first), first);
  return bytes;
}

export class Straddlers {
  /** By RAM offset × 8 + mode index. */
  readonly #all = new Map<number, Straddler>();
  /** Keys of those that begin or end in a page. */
  readonly #byPage = new Map<number, Set<number>>();

  static keyOf(ramOffset: number, modeIndex: number): number {
    return ramOffset * 8 + modeIndex;
  }

  /** The record of one that ends in page `secondPage` of RAM; 0 if there is none. */
  find(key: number, secondPage: number): number {
    const known = this.#all.get(key);
    return known !== undefined && known.secondPage === secondPage ? known.record : 0;
  }

  add(key: number, record: number, firstPage: number, secondPage: number): void {
    this.#all.set(key, { record, secondPage });
    for (const ramPage of [firstPage, secondPage]) {
      const keys = this.#byPage.get(ramPage);
      if (keys === undefined) this.#byPage.set(ramPage, new Set([key]));
      else keys.add(key);
    }
  }

  /** Whether any begins or ends in a page. */
  touch(ramPage: number): boolean {
    return this.#byPage.has(ramPage);
  }

  /** Gives up those that begin or end in a page. @param stale called with their records */
  drop(ramPage: number, stale: (record: number) => void): void {
    for (const key of this.#byPage.get(ramPage) ?? []) {
      const straddler = this.#all.get(key);
      if (straddler === undefined) continue;
      stale(straddler.record);
      this.#all.delete(key);
    }
    this.#byPage.delete(ramPage);
  }

  clear(): void {
    this.#all.clear();
    this.#byPage.clear();
  }
}
