/**
 * Pages of a region that lie elsewhere, or nowhere, in the address space that it is entered in: a process maps its code bit by
 * bit. The region is entered nevertheless, and left where its way leads into such a page.
 */
import { pageSize } from '../../memory/guest-memory.ts';
import type { CodeBuilder } from '../../wasm/code-builder.ts';
import { i32Constant, i64Constant } from '../../wasm/expression.ts';
import { load, store } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { Emitter } from '../emit/emitter.ts';
import { currentKey, liesAt } from '../interpret/lookup.ts';
import { status } from '../interpret/status.ts';
import { engine, regionPlaces, regionReference, state } from '../state/layout.ts';
import type { Block } from './discover.ts';
import type { FlowGraph, Node } from './flow-graph.ts';
import type { RegionFrame } from './translator-registers.ts';

type Pages = RegionFrame['pages'];

/** Distances of the pages that a block has bytes in. */
function distancesOf(block: Block): number[] {
  const first = Math.floor(block.start / pageSize);
  return Array.from({ length: lastPageOf(block) - first + 1 }, (_, n) => first + n);
}

/** Distance of the page that a block ends in. */
export const lastPageOf = ({ end }: Block): number => Math.floor((end - 1) / pageSize);

/** What a region's blocks need: sets of its pages, a bit each, by their number among all. */
export class PageNeeds {
  readonly #numbers: ReadonlyMap<number, number>;
  /** By node: what it needs, and with it what was needed on every way to it. */
  readonly #needs: readonly number[];
  readonly #given: number[] = [];

  constructor({ nodes }: Pick<FlowGraph, 'nodes'>, pages: Pages) {
    this.#numbers = new Map(pages.map(({ distance }, number) => [distance, number]));
    this.#needs = nodes.map(({ block }) => (block === undefined ? 0 : this.#pagesOf(block)));
    // A node comes after its dominator.
    for (const { order, dominator } of nodes) {
      this.#given.push((this.#needs[order] as number) | (order === 0 ? 0 : (this.#given[dominator] as number)));
    }
  }

  #pagesOf(block: Block): number {
    return distancesOf(block).reduce((pages, distance) => pages | (1 << (this.#numbers.get(distance) as number)), 0);
  }

  of(node: Node): number {
    return this.#needs[node.order] as number;
  }

  /** What `to` needs and the way to `from` did not. */
  between(from: Node, to: Node): number {
    return this.of(to) & ~(this.#given[from.order] as number);
  }
}

/** Address of the region's word in `regionPlaces`. */
const placeOf = (e: Emitter, code: CodeBuilder): Value =>
  e.add(e.shl(e.shrU(code.get(code.parameter(1)), regionReference.entryBits), 2), regionPlaces.base);

/** Whether some of `pages` are not where the region has them: i32. */
export function areApart(e: Emitter, pages: number): Value {
  return e.ne(e.and(e.loadState32(engine.placed), pages), pages);
}

/** The region is left for want of a page: what is known of its pages is looked at again the next time. */
export function forgetPlaces(e: Emitter, code: CodeBuilder): void {
  e.storeState(store.i32, placeOf(e, code), 0, e.i32(0));
}

/**
 * Finds out which of several pages lie where they lay when the region was made. Leaves again if the entry needs one that does not.
 * @param selector the entry's number
 */
export function emitPlaces(
  code: CodeBuilder,
  graph: FlowGraph,
  pages: Pages,
  needs: PageNeeds,
  { codeBase, selector }: { readonly codeBase: Local; readonly selector: Local },
): void {
  if (pages.length === 1) return;
  const e = new Emitter(code);
  const place = e.let(placeOf(e, code));
  const masks = e.let(e.add(e.shrU(e.sub(place, regionPlaces.base), 1), regionPlaces.placed));
  const now = e.let(currentKey(e));
  e.storeState32(engine.placed, e.loadState(load.i32_16u, 'i32', masks, 0));
  e.ifUnlikely(e.ne(e.loadState32(place, 0), now), () => {
    const placed = pages
      .map(({ distance, ramOffset }, number) => {
        const linear = e.let(e.add(code.get(codeBase), i64Constant(BigInt(distance * pageSize))));
        return e.let(e.shl(liesAt(e, linear, ramOffset), number));
      })
      .reduce((all, one) => e.let(e.or(all, one)));
    e.storeState32(engine.placed, placed);
    for (const [needed, entries] of entriesByNeed(graph, needs)) {
      const concerned = e.wrap(e.and(e.shrU(e.i64(entries), e.extendU(code.get(selector))), 1n));
      e.ifUnlikely(e.and(concerned, areApart(e, needed)), () => {
        e.storeState32(state.record, code.get(code.parameter(0)));
        code.return(i32Constant(status.misplaced));
      });
    }
    e.storeState(store.i32_16, masks, 0, placed);
    e.storeState(store.i32, place, 0, now);
  });
}

/** Sets of entries, a bit each, by what they need. */
function entriesByNeed({ entries, byOffset }: FlowGraph, needs: PageNeeds): Map<number, bigint> {
  const found = new Map<number, bigint>();
  for (const [number, offset] of entries.entries()) {
    const needed = needs.of(byOffset.get(offset) as Node);
    found.set(needed, (found.get(needed) ?? 0n) | (1n << BigInt(number)));
  }
  return found;
}
