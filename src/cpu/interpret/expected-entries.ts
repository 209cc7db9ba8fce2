/** Places in RAM where code is worth a region as soon as it is met: others have made one there. */
import { pageSize } from '../../memory/guest-memory.ts';
import { type CodeKey, keyOf } from './code-page.ts';

/** After so many all are forgotten: they are hints. */
const most = 1 << 16;

export class ExpectedEntries {
  /** By page of RAM. */
  #pages = new Map<number, Set<CodeKey>>();
  #count = 0;

  add(ramOffset: number, modeIndex: number): void {
    if (this.#count >= most) this.clear();
    const ramPage = Math.floor(ramOffset / pageSize);
    const key = keyOf(modeIndex, ramOffset % pageSize);
    const keys = this.#pages.get(ramPage);
    if (keys === undefined) this.#pages.set(ramPage, new Set([key]));
    else keys.add(key);
    this.#count++;
  }

  /** Those of a page of RAM; who has met one takes it out. */
  in(ramPage: number): Set<CodeKey> | undefined {
    return this.#pages.get(ramPage);
  }

  clear(): void {
    this.#pages = new Map();
    this.#count = 0;
  }
}
