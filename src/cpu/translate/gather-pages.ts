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
  branchesOut: (ramPage: number) => Iterable<readonly [number, number]>,
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
    const near = [...branchesOut(pages.get(distance) as number)]
      .sort(([a], [b]) => Math.abs(a - within) - Math.abs(b - within))
      .slice(0, branchesFollowed);
    for (const [, target] of near) {
      const reached = distance * pageSize + target;
      if (add(Math.floor(reached / pageSize))) pending.push(reached);
    }
  }
  return pages;
}
