/** Which pages a region may spread over: its entry's, the next one, and what code near the entry calls or jumps to. */
import { pageSize } from '../../memory/guest-memory.ts';
import { codeTlb } from '../state/layout.ts';

const maxPages = 10;
/** Of branches that leave a page, those nearest to where control comes in count. */
const branchesFollowed = 10;

/**
 * @param pageAt RAM page by distance from the entry's page; -1 if it is not known now
 * @param branchesOut page offsets and targets of branches that leave a page of RAM
 * @returns RAM pages by distance. No two share an entry of the code TLB: it could not hold both at once.
 */
export function gatherPages(
  ramOffset: number,
  pageAt: (distance: number) => number,
  branchesOut: (ramPage: number, visit: (offset: number, target: number) => void) => void,
): Map<number, number> {
  const pages = new Map([[0, Math.floor(ramOffset / pageSize)]]);
  const slots = new Set([0]);
  const add = (distance: number): boolean => {
    const slot = distance & (codeTlb.entries - 1);
    if (pages.has(distance) || pages.size >= maxPages || slots.has(slot)) return false;
    const ramPage = pageAt(distance);
    if (ramPage < 0) return false;
    pages.set(distance, ramPage);
    slots.add(slot);
    return true;
  };
  add(1);
  const pending = [ramOffset % pageSize];
  for (let at = pending.shift(); at !== undefined && pages.size < maxPages; at = pending.shift()) {
    const distance = Math.floor(at / pageSize);
    const within = at & (pageSize - 1);
    const near = new Nearest(within);
    branchesOut(pages.get(distance) as number, (offset, target) => near.offer(offset, target));
    for (let n = 0; n < near.count; n++) {
      const reached = distance * pageSize + (near.targets[n] as number);
      if (add(Math.floor(reached / pageSize))) pending.push(reached);
    }
  }
  return pages;
}

/** The branches nearest to a place, the nearest first. */
class Nearest {
  readonly targets = new Int32Array(branchesFollowed);
  readonly #distances = new Int32Array(branchesFollowed);
  readonly #place: number;
  count = 0;

  constructor(place: number) {
    this.#place = place;
  }

  offer(offset: number, target: number): void {
    const away = Math.abs(offset - this.#place);
    let at = this.count;
    if (at === branchesFollowed) {
      if (away >= (this.#distances[at - 1] as number)) return;
      at--;
    } else this.count++;
    for (; at > 0 && (this.#distances[at - 1] as number) > away; at--) {
      this.#distances[at] = this.#distances[at - 1] as number;
      this.targets[at] = this.targets[at - 1] as number;
    }
    this.#distances[at] = away;
    this.targets[at] = target;
  }
}
