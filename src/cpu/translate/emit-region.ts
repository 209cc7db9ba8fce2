/**
 * A block graph as one WebAssembly function: (record) → status. Control flow is structured by the dominator tree
 * (N. Ramsey, "Beyond Relooper", 2022): joins become blocks, loop headers loops, everything else nests.
 */
import { CodeBuilder, type Label } from '../../wasm/code-builder.ts';
import { i32Constant } from '../../wasm/expression.ts';
import type { Local } from '../../wasm/types.ts';
import { formOf } from '../emit/forms.ts';
import type { Semantics } from '../emit/ops.ts';
import { emitHandler } from '../interpret/emit-handler.ts';
import { handlerType } from '../interpret/handlers.ts';
import type { SharedFunctions } from '../interpret/interpreter-ops.ts';
import { status } from '../interpret/status.ts';
import { state } from '../state/layout.ts';
import { type BlockGraph, dominates, type Node, type Placed } from './block-graph.ts';
import { packed } from './pending-flags.ts';
import { TranslatorOps } from './translator-ops.ts';
import type { RegionFrame } from './translator-registers.ts';

class RegionEmitter {
  readonly #graph: BlockGraph;
  readonly #code: CodeBuilder;
  readonly #semantics: Readonly<Record<string, Semantics>>;
  readonly #ops: TranslatorOps;
  readonly #budget: Local;
  readonly #codeWritten: Local;
  /** Where a branch to a node goes, while its loop or join block is open. */
  readonly #loops = new Map<number, Label>();
  readonly #joins = new Map<number, Label>();
  #at: Node;

  constructor(
    graph: BlockGraph,
    code: CodeBuilder,
    frame: Omit<RegionFrame, 'branchTo'>,
    semantics: Readonly<Record<string, Semantics>>,
  ) {
    this.#graph = graph;
    this.#code = code;
    this.#semantics = semantics;
    this.#budget = frame.budget;
    this.#codeWritten = frame.codeWritten;
    this.#at = graph.nodes[0] as Node;
    this.#ops = new TranslatorOps(code, { ...frame, branchTo: (offset) => this.#branchTo(offset) });
  }

  emit(): TranslatorOps {
    this.#tree(this.#graph.nodes[0] as Node);
    return this.#ops;
  }

  /** Joins: nodes that more than one forward edge enters. */
  #isJoin(node: Node): boolean {
    return node.predecessors.filter((from) => from < node.order).length > 1;
  }

  #tree(node: Node): void {
    const joins = this.#graph.nodes.filter(
      (child) => child.order !== 0 && child.dominator === node.order && this.#isJoin(child),
    );
    if (!node.loopHeader) {
      this.#within(node, joins);
      return;
    }
    this.#ops.pack();
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
    this.#ops.pending = packed;
    this.#ops.ended = false;
    this.#tree(join);
  }

  #block(node: Node): void {
    const { block } = node;
    const outer = this.#at;
    this.#at = node;
    const ops = this.#ops;
    if (node.loopHeader) ops.pending = packed;
    this.#code.set(this.#budget, ops.sub(ops.get(this.#budget), block.instructions.length));
    ops.ended = false;
    for (const [position, placed] of block.instructions.entries()) {
      ops.remaining = block.instructions.length - position - 1;
      this.#code.scope(() => this.#instruction(placed));
      if (ops.ended) break;
    }
    ops.remaining = 0;
    if (!ops.ended) {
      if (block.interpreted) ops.leaveTo(block.end);
      else this.#branchTo(block.end);
    }
    ops.ended = true;
    this.#at = outer;
  }

  #instruction({ instruction, offset }: Placed): void {
    const ops = this.#ops;
    const { row, operandSize, addressSize, registerForm, repeat } = instruction;
    const stored = ops.instruction(instruction, offset, () => {
      const form = formOf(row, { operandSize, addressSize, registerForm, repeat, long: true });
      emitHandler(ops, form, this.#semantics);
    });
    if (!stored || ops.ended) return;
    // The store may have hit code, even this region's: what follows must be looked up.
    this.#code.if(
      ops.get(this.#codeWritten),
      () => {
        const { pending } = ops;
        ops.leaveTo(offset + instruction.length);
        ops.pending = pending;
        ops.ended = false;
      },
      undefined,
      false,
    );
  }

  /** Ends the current block: on to page offset `offset`. */
  #branchTo(offset: number): void {
    const ops = this.#ops;
    const next = this.#graph.byOffset.get(offset);
    if (next === undefined) {
      ops.leaveTo(offset);
      return;
    }
    if (next.order <= this.#at.order) {
      this.#branchBack(next, offset);
      return;
    }
    const join = this.#joins.get(next.order);
    if (join !== undefined) {
      ops.pack();
      this.#code.branch(join);
      ops.ended = true;
      return;
    }
    this.#tree(next);
  }

  /** Back-edges look at the budget; into the middle of a loop they leave the region. */
  #branchBack(next: Node, offset: number): void {
    const ops = this.#ops;
    const again = this.#loops.get(next.order);
    if (again === undefined || !dominates(this.#graph, next, this.#at)) {
      ops.leaveTo(offset);
      return;
    }
    ops.pack();
    this.#code.branchIf(ops.geS(ops.get(this.#budget), 0), again, true);
    ops.leaveTo(offset);
  }
}

/** Emits the function of a region. */
export function emitRegion(
  graph: BlockGraph,
  functions: SharedFunctions,
  semantics: Readonly<Record<string, Semantics>>,
): CodeBuilder {
  const code = new CodeBuilder(handlerType.parameters);
  const locals = {
    record: code.parameter(0),
    status: code.local('i32'),
    target: code.local('i64'),
    budget: code.local('i32'),
    codeBase: code.local('i64'),
    tlbBase: code.local('i32'),
    codeWritten: code.local('i32'),
  };
  let finished: TranslatorOps | undefined;
  code.block((exit) => {
    finished = new RegionEmitter(graph, code, { functions, exit, ...locals }, semantics).emit();
  });
  const ops = finished as unknown as TranslatorOps;
  ops.storeRegisters();
  ops.storeState32(state.budget, code.get(locals.budget));
  ops.storeState64(state.rip, code.get(locals.target));
  ops.storeState32(state.codeWritten, i32Constant(0));
  ops.storeState32(state.faultExact, ops.eq(code.get(locals.status), status.fault));
  code.value(code.get(locals.status));
  code.prologue(() => {
    ops.loadRegisters();
    code.set(locals.budget, ops.loadState32(state.budget));
    code.set(locals.codeBase, ops.sharedCodeBase());
    code.set(locals.tlbBase, ops.loadState32(state.tlbBase));
  });
  return code;
}
