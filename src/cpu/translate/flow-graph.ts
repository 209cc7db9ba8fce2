/**
 * The control flow of a region: blocks in reverse postorder from a root that leads to every entry, with dominators. Loops
 * with more than one way in are broken up: their header becomes an entry, which jumps back reach by way of the root.
 */
import type { Block, Code } from './discover.ts';

/** The root's node has no block. */
export interface Node {
  readonly block: Block | undefined;
  readonly order: number;
  /** Immediate dominator's order; the root's own. */
  dominator: number;
  readonly predecessors: number[];
  /** Start offsets of successors within the region. */
  readonly successors: readonly number[];
  loopHeader: boolean;
}

export interface FlowGraph {
  /** By order; node 0 is the root. */
  readonly nodes: readonly Node[];
  readonly byOffset: ReadonlyMap<number, Node>;
  /** Offsets that the root leads to: first the entries for the outside, then broken-up loops' headers. */
  readonly entries: readonly number[];
  readonly externalEntries: number;
  /** By offset of a returning block: the call sites' ends in the region that it may return to. */
  readonly returnSites: ReadonlyMap<number, readonly number[]>;
  readonly instructions: number;
}

/** Return addresses that a RET compares its target with, at most. */
const maxReturnSites = 4;
/** The entry number has to fit a region reference. */
const maxEntries = 60;

/** Successors of a block as if calls in the region came straight back. */
function localSuccessors(block: Block, blocks: ReadonlyMap<number, Block>): number[] {
  if (block.calls) return block.target !== undefined && blocks.has(block.target) ? [block.end] : [];
  const list: number[] = [];
  if (block.fallsThrough && !block.interpreted) list.push(block.end);
  if (block.target !== undefined) list.push(block.target);
  return list;
}

/** By offset of a returning block: the ends of those calls in the region whose callee reaches it. */
export function findReturnSites(blocks: ReadonlyMap<number, Block>): Map<number, number[]> {
  const sites = new Map<number, number[]>();
  const returnsOf = new Map<number, Block[]>();
  for (const { calls, target, end } of blocks.values()) {
    if (!calls || target === undefined || !blocks.has(target) || !blocks.has(end)) continue;
    let returns = returnsOf.get(target);
    if (returns === undefined) {
      returns = [];
      const seen = new Set<number>();
      const pending = [target];
      for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
        const block = blocks.get(at);
        if (block === undefined || seen.has(at)) continue;
        seen.add(at);
        if (block.returns) returns.push(block);
        pending.push(...localSuccessors(block, blocks));
      }
      returnsOf.set(target, returns);
    }
    for (const { start } of returns) {
      const list = sites.get(start) ?? [];
      if (list.length < maxReturnSites) sites.set(start, [...list, end]);
    }
  }
  return sites;
}

function orderFrom(entries: readonly number[], next: (offset: number) => readonly number[] | undefined): number[] {
  const seen = new Set<number>();
  const postorder: number[] = [];
  const visit = (offset: number): void => {
    const successors = next(offset);
    if (successors === undefined || seen.has(offset)) return;
    seen.add(offset);
    for (const successor of successors) visit(successor);
    postorder.push(offset);
  };
  for (const entry of entries.toReversed()) visit(entry);
  return postorder.reverse();
}

/** Cooper, Harvey and Kennedy's iteration. */
function findDominators(nodes: readonly Node[]): void {
  const intersect = (first: number, second: number): number => {
    let [a, b] = [first, second];
    while (a !== b) {
      while (a > b) a = (nodes[a] as Node).dominator;
      while (b > a) b = (nodes[b] as Node).dominator;
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of nodes.slice(1)) {
      let best = -1;
      for (const from of node.predecessors) {
        if ((nodes[from] as Node).dominator < 0) continue;
        best = best < 0 ? from : intersect(best, from);
      }
      if (best !== node.dominator) {
        node.dominator = best;
        changed = true;
      }
    }
  }
}

export function dominates(nodes: readonly Node[], above: Node, below: Node): boolean {
  let at = below.order;
  while (at > above.order) at = (nodes[at] as Node).dominator;
  return at === above.order;
}

const nodeOf = (block: Block | undefined, order: number, successors: readonly number[]): Node => ({
  block,
  order,
  dominator: order === 0 ? 0 : -1,
  predecessors: [],
  successors,
  loopHeader: false,
});

/** The graph with these entries; the second result is a loop header that lacks the dominance to be one, if there is any. */
function connect(
  code: Code,
  entries: readonly number[],
  next: (block: Block) => readonly number[],
): { nodes: Node[]; byOffset: Map<number, Node>; irreducible: number | undefined } {
  const byOffset = new Map<number, Node>();
  const nodes = [nodeOf(undefined, 0, entries)];
  const successorsOf = (offset: number): readonly number[] | undefined => {
    const block = code.blocks.get(offset);
    return block === undefined ? undefined : next(block);
  };
  for (const offset of orderFrom(entries, successorsOf)) {
    const block = code.blocks.get(offset) as Block;
    const node = nodeOf(block, nodes.length, next(block));
    nodes.push(node);
    byOffset.set(offset, node);
  }
  for (const node of nodes) {
    for (const offset of node.successors) byOffset.get(offset)?.predecessors.push(node.order);
  }
  findDominators(nodes);
  let irreducible: number | undefined;
  for (const node of nodes) {
    for (const from of node.predecessors) {
      if (from < node.order) continue;
      if (dominates(nodes, node, nodes[from] as Node)) node.loopHeader = true;
      else if (!entries.includes((node.block as Block).start)) irreducible ??= (node.block as Block).start;
    }
  }
  return { nodes, byOffset, irreducible };
}

/** @param external offsets of the entries for the outside, the region's own first */
export function buildGraph(
  code: Code,
  external: readonly number[],
  returnSites: ReadonlyMap<number, readonly number[]>,
): FlowGraph {
  const next = (block: Block): readonly number[] => {
    const list = block.calls ? [] : localSuccessors(block, code.blocks);
    if (block.calls && block.target !== undefined) list.push(block.target);
    return [...list, ...(returnSites.get(block.start) ?? [])];
  };
  const entries = external.slice(0, maxEntries);
  const externalEntries = entries.length;
  for (;;) {
    const { nodes, byOffset, irreducible } = connect(code, entries, next);
    if (irreducible === undefined || entries.length >= maxEntries + 3) {
      return { nodes, byOffset, entries, externalEntries, returnSites, instructions: code.instructions };
    }
    entries.push(irreducible);
  }
}
