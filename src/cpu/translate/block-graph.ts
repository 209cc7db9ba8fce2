/** Basic blocks of one page, reachable from a hot entry, in reverse postorder, with dominators. */
import { decode } from '../decode/decoder.ts';
import type { DecodeMode, Instruction } from '../decode/instruction.ts';

const pageSize = 4096;
/** Beyond this, branches leave the region: functions of 8–16 KB compile well. */
const maxInstructions = 120;

export interface Placed {
  readonly instruction: Instruction;
  /** Offset in the page. */
  readonly offset: number;
}

export interface Block {
  readonly instructions: readonly Placed[];
  /** Page offset after the last instruction. */
  readonly end: number;
  /** Whether control can run off the end. */
  readonly fallsThrough: boolean;
  /** Page offset of the branch target, if the last instruction is a relative jump or conditional jump; may lie outside. */
  readonly target: number | undefined;
  /** The instruction at `end` is left to the interpreter. */
  readonly interpreted: boolean;
}

export interface Node {
  readonly block: Block;
  readonly order: number;
  /** Immediate dominator's order; the entry's own. */
  dominator: number;
  readonly predecessors: number[];
  loopHeader: boolean;
}

/** Page offset → node, and all nodes by order; node 0 is the entry. */
export interface BlockGraph {
  readonly nodes: readonly Node[];
  readonly byOffset: ReadonlyMap<number, Node>;
  readonly instructions: number;
}

/** Whether the translator takes an instruction; the others end a block and run in the interpreter. */
export type Translatable = (instruction: Instruction) => boolean;

const branchKinds: ReadonlySet<string> = new Set(['jcc', 'jmp', 'loop', 'loope', 'loopne', 'jcxz']);

function targetOf({ instruction, offset }: Placed): number | undefined {
  if (!branchKinds.has(instruction.row.semantics)) return undefined;
  return offset + instruction.length + Number(instruction.immediate);
}

/** Decodes everything reachable within the page. */
function reachable(
  page: Uint8Array,
  entry: number,
  mode: DecodeMode,
  translatable: Translatable,
): { placed: Map<number, Placed>; leaders: Set<number> } {
  const placed = new Map<number, Placed>();
  const leaders = new Set([entry]);
  const pending = [entry];
  while (pending.length > 0) {
    let offset = pending.pop() as number;
    while (offset < pageSize && !placed.has(offset) && placed.size < maxInstructions) {
      const result = decode(page, offset, pageSize, mode);
      if (result.kind !== 'ok' || !translatable(result.instruction)) break;
      const here: Placed = { instruction: result.instruction, offset };
      placed.set(offset, here);
      offset += result.instruction.length;
      const target = targetOf(here);
      if (target !== undefined) {
        if (target >= 0 && target < pageSize) {
          leaders.add(target);
          pending.push(target);
        }
        leaders.add(offset);
      }
      if (result.instruction.row.endsBlock === true) break;
    }
  }
  return { placed, leaders };
}

function blockAt(start: number, placed: ReadonlyMap<number, Placed>, leaders: ReadonlySet<number>): Block | undefined {
  const instructions: Placed[] = [];
  let offset = start;
  for (;;) {
    const here = placed.get(offset);
    if (here === undefined) break;
    instructions.push(here);
    offset += here.instruction.length;
    const target = targetOf(here);
    const ends = here.instruction.row.endsBlock === true;
    if (ends || target !== undefined)
      return { instructions, end: offset, fallsThrough: !ends, target, interpreted: false };
    if (leaders.has(offset))
      return { instructions, end: offset, fallsThrough: true, target: undefined, interpreted: false };
  }
  if (instructions.length === 0) return undefined;
  return { instructions, end: offset, fallsThrough: true, target: undefined, interpreted: true };
}

/** Successor offsets that lie in the graph. */
function successors(block: Block): number[] {
  const list: number[] = [];
  if (block.fallsThrough && !block.interpreted) list.push(block.end);
  if (block.target !== undefined) list.push(block.target);
  return list;
}

/** Blocks in reverse postorder from the entry. */
function order(entry: number, blocks: ReadonlyMap<number, Block>): number[] {
  const seen = new Set<number>();
  const postorder: number[] = [];
  const visit = (offset: number): void => {
    const block = blocks.get(offset);
    if (block === undefined || seen.has(offset)) return;
    seen.add(offset);
    for (const next of successors(block)) visit(next);
    postorder.push(offset);
  };
  visit(entry);
  return postorder.reverse();
}

/** Cooper, Harvey and Kennedy's iteration. */
function dominators(nodes: readonly Node[]): void {
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

export function dominates(graph: BlockGraph, above: Node, below: Node): boolean {
  let at = below.order;
  while (at > above.order) at = (graph.nodes[at] as Node).dominator;
  return at === above.order;
}

/** @returns undefined if nothing at the entry can be translated. */
export function buildGraph(
  page: Uint8Array,
  entry: number,
  mode: DecodeMode,
  translatable: Translatable,
): BlockGraph | undefined {
  const { placed, leaders } = reachable(page, entry, mode, translatable);
  const blocks = new Map<number, Block>();
  for (const leader of leaders) {
    const block = blockAt(leader, placed, leaders);
    if (block !== undefined) blocks.set(leader, block);
  }
  if (!blocks.has(entry)) return undefined;
  const byOffset = new Map<number, Node>();
  const nodes = order(entry, blocks).map((offset, position): Node => {
    const node: Node = {
      block: blocks.get(offset) as Block,
      order: position,
      dominator: position === 0 ? 0 : -1,
      predecessors: [],
      loopHeader: false,
    };
    byOffset.set(offset, node);
    return node;
  });
  for (const node of nodes) {
    for (const next of successors(node.block)) byOffset.get(next)?.predecessors.push(node.order);
  }
  dominators(nodes);
  const graph = { nodes, byOffset, instructions: placed.size };
  for (const node of nodes) {
    node.loopHeader = node.predecessors.some(
      (from) => from >= node.order && dominates(graph, node, nodes[from] as Node),
    );
  }
  return graph;
}
