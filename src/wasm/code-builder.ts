/** Builds one function body: expressions, locals, structured control flow, branch hints. */
import { ByteWriter } from './byte-writer.ts';
import { node, none } from './expression.ts';
import type { LateNumber } from './late-number.ts';
import { atomic, bulk, constant, control } from './opcodes.ts';
import { type Local, type Value, type ValueType, valueTypeCode } from './types.ts';

/** An open block, loop or if; the target of branches. */
export interface Label {
  readonly depth: number;
}

export interface BranchHint {
  /** Byte offset of the branch from the beginning of the function body. */
  readonly offset: number;
  readonly likely: boolean;
}

const emptyBlockType = 0x40;

const writeOpcode = (out: ByteWriter, opcode: number): void => {
  if (opcode < 0x100) {
    out.byte(opcode);
  } else {
    out.byte(opcode >> 16);
    out.unsigned(opcode & 0xffff);
  }
};

export class CodeBuilder {
  #out = new ByteWriter();
  readonly #prologue = new ByteWriter();
  readonly #parameters: readonly ValueType[];
  readonly #locals: ValueType[] = [];
  readonly #free = new Map<ValueType, Local[]>();
  #live: Local[] = [];
  #hints: BranchHint[] = [];
  /** Those of the prologue, counted from its beginning. */
  readonly #prologueHints: BranchHint[] = [];
  #depth = 0;

  constructor(parameters: readonly ValueType[]) {
    this.#parameters = parameters;
  }

  /** Bytes of code emitted so far. */
  get size(): number {
    return this.#out.length;
  }

  parameter(index: number): Local {
    return { type: this.#parameters[index] as ValueType, index };
  }

  /** A local that lives until the innermost `scope` around it ends. Its content at that point is undefined. */
  local(type: ValueType): Local {
    let local = this.#free.get(type)?.pop();
    if (local === undefined) {
      local = { type, index: this.#parameters.length + this.#locals.length };
      this.#locals.push(type);
    }
    this.#live.push(local);
    return local;
  }

  /** A local that lives as long as the function, wherever it is first wanted. */
  pinnedLocal(type: ValueType): Local {
    const local = { type, index: this.#parameters.length + this.#locals.length };
    this.#locals.push(type);
    return local;
  }

  /** Runs `body`; locals taken inside are free for reuse afterwards. */
  scope(body: () => void): void {
    const outer = this.#live;
    this.#live = [];
    body();
    for (const local of this.#live) {
      const list = this.#free.get(local.type);
      if (list === undefined) this.#free.set(local.type, [local]);
      else list.push(local);
    }
    this.#live = outer;
  }

  /** How many blocks are open. */
  get depth(): number {
    return this.#depth;
  }

  get(local: Local): Value {
    return node(local.type, control.localGet, none, local.index);
  }

  set(local: Local, value: Value): void {
    if (local.type !== value.type) throw new Error(`local of ${local.type} set to ${value.type}`);
    this.value(value);
    this.#out.byte(control.localSet);
    this.#out.unsigned(local.index);
  }

  /** Evaluates `value` now, once; the result may be used any number of times. */
  bind(value: Value): Value {
    if (value.opcode === constant.i32 || value.opcode === constant.i64) return value;
    const local = this.local(value.type);
    this.set(local, value);
    return this.get(local);
  }

  /** Emits `value` onto the WebAssembly stack. */
  value(value: Value): void {
    for (const operand of value.operands) this.value(operand);
    const out = this.#out;
    writeOpcode(out, value.opcode);
    if (value.offset !== undefined) {
      this.#memoryArgument(value.memory, value.offset, value.opcode);
      return;
    }
    if (value.bytes !== undefined) out.append(value.bytes);
    if (value.late !== undefined) {
      value.late.reserve(out, true);
      return;
    }
    const immediate = value.immediate;
    if (immediate === undefined) return;
    if (value.opcode === constant.i32) out.signed(immediate as number);
    else if (value.opcode === constant.i64) out.signed64(immediate);
    else out.unsigned(immediate as number);
  }

  /** Alignment hint 0, except for atomics, which must state their natural alignment. */
  #memoryArgument(memory: number, offset: number | LateNumber, opcode: number): void {
    let alignment = 0;
    if (opcode >= 0xfe0000) alignment = { 17: 3, 73: 3, 74: 0, 75: 1 }[opcode & 0xff] ?? 2;
    if (memory === 0) {
      this.#out.unsigned(alignment);
    } else {
      this.#out.unsigned(alignment | 0x40);
      this.#out.unsigned(memory);
    }
    if (typeof offset === 'number') this.#out.unsigned(offset);
    else offset.reserve(this.#out, false);
  }

  store(opcode: number, address: Value, value: Value, offset: number | LateNumber, memory: number): void {
    this.value(address);
    this.value(value);
    writeOpcode(this.#out, opcode);
    this.#memoryArgument(memory, offset, opcode);
  }

  /** atomic.fence: no access moves from one side of it to the other. */
  fence(): void {
    writeOpcode(this.#out, atomic.fence);
    this.#out.byte(0);
  }

  drop(value: Value): void {
    this.value(value);
    this.#out.byte(control.drop);
  }

  /** memory.copy; within one memory overlapping ranges are copied as if at once. */
  memoryCopy(memory: number, target: Value, source: Value, bytes: Value, sourceMemory = memory): void {
    for (const value of [target, source, bytes]) this.value(value);
    writeOpcode(this.#out, bulk.copy);
    this.#out.unsigned(memory);
    this.#out.unsigned(sourceMemory);
  }

  /** memory.fill with the low byte of `byte`. */
  memoryFill(memory: number, target: Value, byte: Value, bytes: Value): void {
    for (const value of [target, byte, bytes]) this.value(value);
    writeOpcode(this.#out, bulk.fill);
    this.#out.unsigned(memory);
  }

  #open(opcode: number): Label {
    this.#out.byte(opcode);
    this.#out.byte(emptyBlockType);
    this.#depth++;
    return { depth: this.#depth };
  }

  #close(): void {
    this.#out.byte(control.end);
    this.#depth--;
  }

  /** Emits what runs before everything emitted so far and later: once the body shows which locals want initial values. */
  prologue(emit: () => void): void {
    const [body, hints] = [this.#out, this.#hints];
    this.#out = this.#prologue;
    this.#hints = this.#prologueHints;
    emit();
    this.#out = body;
    this.#hints = hints;
  }

  /** A block; branching to its label leaves it. */
  block(body: (leave: Label) => void): void {
    body(this.#open(control.block));
    this.#close();
  }

  /** A loop; branching to its label starts the next round, falling off its end leaves it. */
  loop(body: (again: Label) => void): void {
    body(this.#open(control.loop));
    this.#close();
  }

  /** `likely` becomes a branch hint. */
  if(condition: Value, then: () => void, otherwise?: () => void, likely?: boolean): void {
    this.value(condition);
    this.#hint(likely);
    this.#open(control.if);
    then();
    if (otherwise !== undefined) {
      this.#out.byte(control.else);
      otherwise();
    }
    this.#close();
  }

  #hint(likely: boolean | undefined): void {
    if (likely !== undefined) this.#hints.push({ offset: this.#out.length, likely });
  }

  branch(label: Label): void {
    this.#out.byte(control.br);
    this.#out.unsigned(this.#depth - label.depth);
  }

  branchIf(condition: Value, label: Label, likely?: boolean): void {
    this.value(condition);
    this.#hint(likely);
    this.#out.byte(control.brIf);
    this.#out.unsigned(this.#depth - label.depth);
  }

  branchTable(index: Value, labels: readonly Label[], otherwise: Label): void {
    this.value(index);
    this.#out.byte(control.brTable);
    this.#out.unsigned(labels.length);
    for (const label of labels) this.#out.unsigned(this.#depth - label.depth);
    this.#out.unsigned(this.#depth - otherwise.depth);
  }

  return(value?: Value): void {
    if (value !== undefined) this.value(value);
    this.#out.byte(control.return);
  }

  unreachable(): void {
    this.#out.byte(control.unreachable);
  }

  /** Calls for effect; the function must have no result. */
  call(functionIndex: number, parameters: readonly Value[]): void {
    for (const parameter of parameters) this.value(parameter);
    this.#out.byte(control.call);
    this.#out.unsigned(functionIndex);
  }

  /** Calls through `table` and leaves the results on the stack, as `value` does. */
  callIndirect(typeIndex: number, table: number, parameters: readonly Value[], index: Value): void {
    for (const parameter of parameters) this.value(parameter);
    this.value(index);
    this.#out.byte(control.callIndirect);
    this.#out.unsigned(typeIndex);
    this.#out.unsigned(table);
  }

  /** Ends the function by calling another, which takes over its frame. */
  returnCall(functionIndex: number, parameters: readonly Value[]): void {
    for (const parameter of parameters) this.value(parameter);
    this.#out.byte(control.returnCall);
    this.#out.unsigned(functionIndex);
  }

  /** Ends the function by calling another through `table`, which takes over its frame. */
  returnCallIndirect(typeIndex: number, table: number, parameters: readonly Value[], index: Value): void {
    for (const parameter of parameters) this.value(parameter);
    this.value(index);
    this.#out.byte(control.returnCallIndirect);
    this.#out.unsigned(typeIndex);
    this.#out.unsigned(table);
  }

  /** Pops the WebAssembly stack's top into `local`. */
  setFromStack(local: Local): void {
    this.#out.byte(control.localSet);
    this.#out.unsigned(local.index);
  }

  /** The finished body with its local declarations, and its branch hints. */
  finish(): { body: Uint8Array<ArrayBuffer>; hints: readonly BranchHint[] } {
    if (this.#depth !== 0) throw new Error(`function body has ${this.#depth} open blocks`);
    const head = new ByteWriter();
    const groups: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = groups.at(-1);
      if (last?.type === type) last.count++;
      else groups.push({ type, count: 1 });
    }
    head.unsigned(groups.length);
    for (const group of groups) {
      head.unsigned(group.count);
      head.byte(valueTypeCode[group.type]);
    }
    const prologueAt = head.length;
    head.append(this.#prologue.bytes());
    const bodyAt = head.length;
    head.append(this.#out.bytes());
    head.byte(control.end);
    const moved = (hints: readonly BranchHint[], by: number): BranchHint[] =>
      hints.map((hint) => ({ ...hint, offset: hint.offset + by }));
    // In ascending order, or an engine ignores them all.
    return { body: head.bytes(), hints: [...moved(this.#prologueHints, prologueAt), ...moved(this.#hints, bodyAt)] };
  }
}
