/** Ops of two instructions that one case runs in turn: flags that the first has set, the second takes from locals. */
import type { CodeBuilder } from '../../wasm/code-builder.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { type InlineExits, InterpreterOps } from './interpreter-ops.ts';
import { record } from './record.ts';
import type { SharedFunctions } from './shared-types.ts';

/** As state has them; undefined: only there. */
interface PassedFlags {
  result?: Value | undefined;
  aux?: Value | undefined;
}

class FirstOps extends InterpreterOps {
  readonly flags: PassedFlags = {};
  readonly #depth = this.code.depth;
  /** Beyond a way out: what happens there does not happen always, nor does what happens within a branch. */
  #conditional = false;

  override finish(): void {
    this.#conditional = true;
    super.finish();
  }

  override setFlagResult(value: Value): void {
    super.setFlagResult(this.#passed('result', value));
  }

  override setFlagAux(value: Value): void {
    super.setFlagAux(this.#passed('aux', value));
  }

  #passed(word: keyof PassedFlags, value: Value): Value {
    this.flags[word] = undefined;
    if (this.#conditional || this.code.depth > this.#depth) return value;
    const bound = this.let(value);
    this.flags[word] = bound;
    return bound;
  }
}

class SecondOps extends InterpreterOps {
  readonly #flags: PassedFlags;

  constructor(code: CodeBuilder, rec: Local, functions: SharedFunctions, exits: InlineExits, flags: PassedFlags) {
    super(code, rec, functions, exits);
    this.#flags = flags;
  }

  override flagResult(): Value {
    return this.#flags.result ?? super.flagResult();
  }

  override flagAux(): Value {
    return this.#flags.aux ?? super.flagAux();
  }

  override setFlagResult(value: Value): void {
    super.setFlagResult(value);
    this.#flags.result = undefined;
  }

  override setFlagAux(value: Value): void {
    super.setFlagAux(value);
    this.#flags.aux = undefined;
  }
}

export interface PairParts {
  readonly code: CodeBuilder;
  readonly rec: Local;
  readonly functions: SharedFunctions;
  readonly exits: InlineExits;
  /** Handler of the second. */
  readonly second: number;
}

/** Runs the record at `rec` with what `first` emits, and the next one with what `second` emits if it still is what it was. */
export function emitPair(
  { code, rec, functions, exits, second }: PairParts,
  emitFirst: (ops: InterpreterOps) => void,
  emitSecond: (ops: InterpreterOps) => void,
): void {
  let flags: PassedFlags = {};
  code.block((next) => {
    const ops = new FirstOps(code, rec, functions, { ...exits, next });
    emitFirst(ops);
    flags = ops.flags;
  });
  const ops = new SecondOps(code, rec, functions, exits, flags);
  // It may have been overwritten, or have become the entry of a region.
  const follows = ops.eq(ops.loadState16(code.get(rec), record.size + record.handler), second);
  code.branchIf(ops.isZero(follows), exits.next);
  code.set(rec, ops.add(code.get(rec), record.size));
  emitSecond(ops);
}
