/**
 * A flow graph as one WebAssembly function of `regionType`. Control flow is structured by the dominator tree (N. Ramsey,
 * "Beyond Relooper", 2022): joins become blocks, loop headers loops, everything else nests. The root chooses the entry.
 */
import { CodeBuilder, type Label } from '../../wasm/code-builder.ts';
import { i32Constant } from '../../wasm/expression.ts';
import { store } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { Emitter } from '../emit/emitter.ts';
import { formOf, locksBus } from '../emit/forms.ts';
import type { Semantics } from '../emit/ops.ts';
import { emitHandler } from '../interpret/emit-handler.ts';
import { regionType } from '../interpret/handler-keys.ts';
import { emitSiteLookup } from '../interpret/lookup.ts';
import type { SharedFunctions } from '../interpret/shared-types.ts';
import { emitSliceEnd } from '../interpret/slice-end.ts';
import { status } from '../interpret/status.ts';
import { type RowFacts, rowFacts } from '../isa/row-facts.ts';
import { engine, regionReference, regionUse, state, targetCache } from '../state/layout.ts';
import type { Placed } from './discover.ts';
import { dominates, type FlowGraph, type Node } from './flow-graph.ts';
import { KnownAtJoins, nothingKnown } from './known-facts.ts';
import { emitPlaces, PageNeeds } from './page-guards.ts';
import { packed, unknown } from './pending-flags.ts';
import type { DefineFunction } from './rare-emitter.ts';
import { TranslatorOps } from './translator-ops.ts';
import { faultSite, type RegionFrame } from './translator-registers.ts';

export interface RegionInput {
  /** 64-bit code; otherwise 32-bit code with flat segments. */
  readonly long: boolean;
  readonly graph: FlowGraph;
  /** By node: status flags that are looked at before they are overwritten; see `liveFlags`. */
  readonly liveFlags: readonly number[];
  /** The pages it has instructions in, the first entry's among them. */
  readonly pages: RegionFrame['pages'];
  /** Whether locked instructions are atomic. */
  readonly atomic: boolean;
  readonly countsLookups: boolean;
  /** See `RegionRequest`. */
  readonly leavesOnMiss: boolean;
}

class RegionEmitter {
  readonly #input: RegionInput;
  readonly #code: CodeBuilder;
  readonly #semantics: Readonly<Record<string, Semantics>>;
  readonly #ops: TranslatorOps;
  readonly #budget: Local;
  /** Number of the entry that the root leads to. */
  readonly #selector: Local;
  /** Where a branch to a node goes, while its loop or join block is open. */
  readonly #loops = new Map<number, Label>();
  readonly #joins = new Map<number, Label>();
  readonly #known: KnownAtJoins;
  readonly #pages: PageNeeds;
  /** Nodes at whose end `sseChecked` holds. */
  readonly #sseChecked = new Set<number>();
  #at: Node;

  constructor(
    input: RegionInput,
    code: CodeBuilder,
    frame: Omit<RegionFrame, 'branchTo'>,
    selector: Local,
    semantics: Readonly<Record<string, Semantics>>,
    known: KnownAtJoins,
    pages: PageNeeds,
  ) {
    this.#input = input;
    this.#known = known;
    this.#pages = pages;
    this.#code = code;
    this.#semantics = semantics;
    this.#budget = frame.budget;
    this.#selector = selector;
    this.#at = this.#nodes[0] as Node;
    this.#ops = new TranslatorOps(code, { ...frame, branchTo: (offset) => this.#branchTo(offset) });
    this.#ops.countsLookups = input.countsLookups;
  }

  get #nodes(): readonly Node[] {
    return this.#input.graph.nodes;
  }

  emit(): TranslatorOps {
    const root = this.#nodes[0] as Node;
    const { entries, externalEntries } = this.#input.graph;
    this.#ops.pending = this.#pendingAt(root);
    if (entries.length === externalEntries) this.#within(root, this.#joinsOf(root));
    else {
      this.#code.loop((again) => {
        this.#loops.set(0, again);
        this.#within(root, this.#joinsOf(root));
      });
    }
    return this.#ops;
  }

  /** How flags are known where several ways meet. */
  #pendingAt(node: Node): typeof packed {
    return this.#input.liveFlags[node.order] === 0 ? unknown : packed;
  }

  /** Brings the flags into the form that `node` is entered with. */
  #agree(node: Node): void {
    if (this.#pendingAt(node) === packed) this.#ops.pack();
    else this.#ops.hand();
  }

  /** Nodes that more than one forward edge enters, and those that the root chooses from. */
  #isJoin(node: Node): boolean {
    return node.predecessors.includes(0) || node.predecessors.filter((from) => from < node.order).length > 1;
  }

  /** Joins that `node` dominates at once. */
  #joinsOf(node: Node): Node[] {
    return this.#nodes.filter((child) => child.order !== 0 && child.dominator === node.order && this.#isJoin(child));
  }

  #tree(node: Node): void {
    this.#ops.subtree(() => this.#treeFrom(node));
  }

  #treeFrom(node: Node): void {
    const joins = this.#joinsOf(node);
    if (!node.loopHeader) {
      this.#within(node, joins);
      return;
    }
    this.#agree(node);
    this.#code.loop((again) => {
      this.#loops.set(node.order, again);
      this.#within(node, joins);
      this.#loops.delete(node.order);
    });
  }

  /** `joins` in ascending order; the last one is entered from the outermost block. */
  #within(node: Node, joins: readonly Node[]): void {
    const join = joins.at(-1);
    if (join === undefined) {
      this.#block(node);
      return;
    }
    this.#code.block((label) => {
      this.#joins.set(join.order, label);
      this.#within(node, joins.slice(0, -1));
      this.#joins.delete(join.order);
    });
    this.#ops.pending = this.#pendingAt(join);
    this.#ops.ended = false;
    this.#ops.known = this.#known.at(join.order);
    this.#ops.addresses.join(join.order);
    this.#tree(join);
  }

  /** The root: on to the entry that the selector names. */
  #choose(): void {
    const labels = this.#input.graph.entries.map((offset) => {
      const node = this.#input.graph.byOffset.get(offset) as Node;
      this.#known.arrive(node.order, nothingKnown);
      this.#ops.addresses.arrive(node.order);
      return this.#joins.get(node.order) as Label;
    });
    const first = labels[0] as Label;
    // The entries may take flags as they come even where the root has them computed.
    this.#ops.hand();
    if (labels.length === 1) this.#code.branch(first);
    else this.#code.branchTable(this.#code.get(this.#selector), labels, first);
    this.#ops.ended = true;
  }

  #block(node: Node): void {
    const { block } = node;
    if (block === undefined) {
      this.#choose();
      return;
    }
    const ops = this.#ops;
    const outer = { at: this.#at, sseChecked: ops.sseChecked };
    this.#at = node;
    if (node.loopHeader) {
      ops.pending = this.#pendingAt(node);
      ops.known = this.#known.inLoop(node.order, ops.known);
    }
    ops.beginBlock(node.loopHeader);
    this.#code.set(this.#budget, ops.sub(ops.get(this.#budget), block.instructions.length));
    ops.ended = false;
    ops.sseChecked = this.#sseChecked.has(node.dominator);
    for (const [position, placed] of block.instructions.entries()) {
      ops.remaining = block.instructions.length - position - 1;
      if (ops.remaining === 0) ops.returnSites = this.#input.graph.returnSites.get(block.start) ?? [];
      // The last instruction's successors are emitted within it; jumps are not SSE.
      if (ops.sseChecked) this.#sseChecked.add(node.order);
      this.#code.scope(() => this.#instruction(placed));
      ops.returnSites = [];
      if (ops.ended) break;
    }
    ops.remaining = 0;
    if (!ops.ended) {
      if (ops.sseChecked) this.#sseChecked.add(node.order);
      if (block.interpreted) ops.leaveTo(block.end);
      else this.#branchTo(block.end);
    }
    ops.ended = true;
    this.#at = outer.at;
    ops.sseChecked = outer.sseChecked;
  }

  #instruction({ instruction, offset }: Placed): void {
    const { row, operandSize, addressSize, registerForm, repeat } = instruction;
    this.#ops.instruction(instruction, offset, () => {
      const { atomic, long } = this.#input;
      const locked = atomic && locksBus(rowFacts[row.id] as RowFacts, instruction);
      const form = formOf(row, { operandSize, addressSize, registerForm, repeat, long, locked });
      emitHandler(this.#ops, form, this.#semantics);
    });
  }

  /** Ends the current block: on to `offset`. */
  #branchTo(offset: number): void {
    const ops = this.#ops;
    const next = this.#input.graph.byOffset.get(offset);
    if (next === undefined || !this.#at.successors.includes(offset)) {
      ops.leaveTo(offset);
      return;
    }
    const needed = this.#pages.between(this.#at, next);
    if (needed !== 0) ops.leaveIfApart(needed, offset);
    if (next.order <= this.#at.order) {
      this.#branchBack(next, offset);
      return;
    }
    const join = this.#joins.get(next.order);
    if (join !== undefined) {
      this.#agree(next);
      this.#known.arrive(next.order, ops.known);
      ops.addresses.arrive(next.order);
      this.#code.branch(join);
      ops.ended = true;
      return;
    }
    this.#tree(next);
  }

  /** Back-edges look at the budget; into a loop that has other ways in they go by way of the root. */
  #branchBack(next: Node, offset: number): void {
    const ops = this.#ops;
    const again = dominates(this.#nodes, next, this.#at) ? this.#loops.get(next.order) : undefined;
    const entry = this.#input.graph.entries.indexOf(offset);
    const root = this.#loops.get(0);
    const goOn = ops.geS(ops.or(ops.get(this.#budget), ops.loadState32(state.request)), 0);
    if (again !== undefined) {
      this.#agree(next);
      this.#known.arriveBack(next.order, ops.known);
      this.#code.branchIf(goOn, again, true);
    } else if (entry >= 0 && root !== undefined) {
      this.#agree(this.#nodes[0] as Node);
      this.#code.set(this.#selector, ops.i32(entry));
      this.#code.branchIf(goOn, root, true);
    }
    ops.leaveTo(offset);
  }
}

/** On from a region to whatever code `target` is: the interpreter stands in the table of regions, too. */
function emitChain(code: CodeBuilder, frame: Pick<RegionFrame, 'target' | 'from' | 'budget' | 'functions'>): void {
  const e = new Emitter(code);
  const { find, mustEnd } = frame.functions;
  const target = code.get(frame.target);
  const leaveWith = (outcome: number): void => {
    e.storeState64(state.rip, target);
    e.storeState32(engine.translated, i32Constant(1));
    code.return(i32Constant(outcome));
  };
  emitSliceEnd(e, code.get(frame.budget), mustEnd, () => leaveWith(status.budget));
  const entry = emitSiteLookup(e, target, code.get(frame.from), find, () => leaveWith(status.lookup));
  e.storeState64(state.codeBase, e.and(target, -4096n));
  const reference = e.let(e.loadState32(entry, targetCache.region));
  const index = e.shrU(reference, regionReference.entryBits);
  code.returnCallIndirect(0, 0, [e.loadState32(entry, targetCache.record), reference], index);
}

const pageBytes = (distance: number): bigint => BigInt(distance) * 4096n;

/** i64: the constant that belongs to `index` (i32, bound). Most are the first one. */
const pick = (e: Emitter, index: Value, [first, ...others]: readonly bigint[]): Value =>
  others.reduce<Value>(
    (otherwise, constant, position) =>
      constant === first ? otherwise : e.select(e.eq(index, position + 1), e.i64(constant), otherwise),
    e.i64(first ?? 0n),
  );

/** Tells that the region is in use. */
function emitUse(code: CodeBuilder): void {
  const e = new Emitter(code);
  const index = e.shrU(code.get(code.parameter(1)), regionReference.entryBits);
  e.storeState(store.i32_8, index, regionUse.base, e.i32(1));
}

export interface RegionParts {
  readonly functions: SharedFunctions;
  readonly define: DefineFunction;
  readonly semantics: Readonly<Record<string, Semantics>>;
}

/** Emits the function of a region. The module's type 0 must be `regionType`, its table 0 that of regions. */
export function emitRegion(input: RegionInput, parts: RegionParts): CodeBuilder {
  const first = new KnownAtJoins(new Map());
  const code = emitPass(input, parts, first);
  return first.back === undefined ? code : emitPass(input, parts, new KnownAtJoins(first.back));
}

function emitPass(input: RegionInput, { functions, define, semantics }: RegionParts, known: KnownAtJoins): CodeBuilder {
  const code = new CodeBuilder(regionType.parameters);
  const locals = {
    record: code.parameter(0),
    target: code.local('i64'),
    from: code.local('i32'),
    site: code.local('i32'),
    budget: code.local('i32'),
    codeBase: code.local('i64'),
    tlbBase: code.local('i32'),
  };
  const { long, leavesOnMiss, pages } = input;
  const selector = code.local('i32');
  const needs = new PageNeeds(input.graph, pages);
  let finished: TranslatorOps | undefined;
  code.block((fault) => {
    code.block((leave) => {
      const frame = { functions, define, leave, fault, long, leavesOnMiss, pages, ...locals };
      finished = new RegionEmitter(input, code, frame, selector, semantics, known, needs).emit();
    });
    const ops = finished as TranslatorOps;
    ops.storeRegisters();
    ops.storeFlags();
    ops.storeState32(state.budget, code.get(locals.budget));
    emitChain(code, { functions, ...locals });
  });
  const ops = finished as unknown as TranslatorOps;
  const site = code.get(locals.site);
  ops.storeRegisters();
  ops.storeFlags(ops.faultFlags(site));
  ops.storeState32(state.budget, ops.add(code.get(locals.budget), faultSite.unspent(ops, site)));
  const page = ops.let(faultSite.page(ops, site));
  const start = pick(
    ops,
    page,
    input.pages.map(({ distance }) => pageBytes(distance)),
  );
  const offset = ops.add(ops.extendU(faultSite.within(ops, site)), start);
  ops.storeState64(state.rip, ops.add(code.get(locals.codeBase), offset));
  const faulted = ops.loadState32(state.fault);
  ops.storeState32(state.faultExact, ops.ne(faulted, 0));
  if (input.leavesOnMiss) {
    code.if(faulted, () => code.return(i32Constant(status.fault)));
    code.returnCall(functions.goOn, [code.get(code.parameter(0)), code.get(code.parameter(1))]);
  } else code.value(ops.select(faulted, i32Constant(status.fault), i32Constant(status.redo)));
  code.prologue(() => {
    const entryMask = (1 << regionReference.entryBits) - 1;
    code.set(selector, ops.and(code.get(code.parameter(1)), entryMask));
    const { entries } = input.graph;
    const starts = entries.map((entry) => pageBytes(Math.floor(entry / 4096)));
    const base = ops.sharedCodeBase();
    const apart = starts.some((start) => start !== 0n);
    code.set(locals.codeBase, apart ? ops.sub(base, pick(ops, code.get(selector), starts)) : base);
    emitPlaces(code, input.graph, input.pages, needs, { codeBase: locals.codeBase, selector });
    emitUse(code);
    ops.loadRegisters();
    ops.loadFlags(input.liveFlags[0] !== 0);
    code.set(locals.budget, ops.loadState32(state.budget));
    code.set(locals.tlbBase, ops.loadState32(state.tlbBase));
  });
  return code;
}
