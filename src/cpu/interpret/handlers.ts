/**
 * Numbers handlers and brings them into being. The hot ones are cases of the dispatch loop, known from the start; the
 * others become functions of small modules the first time a decoded instruction needs one of their row.
 */
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { i32Constant } from '../../wasm/expression.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { type WasmMemory, type WasmTable, webAssembly } from '../../wasm/webassembly.ts';
import { type FormKey, formOf } from '../emit/forms.ts';
import type { Semantics } from '../emit/ops.ts';
import type { TableRow } from '../isa/row.ts';
import { instructionTable } from '../isa/table.ts';
import { emitHandler } from './emit-handler.ts';
import { InterpreterOps } from './interpreter-ops.ts';
import { importMemories } from './memories.ts';
import { type SharedExports, type SharedFunctions, sharedTypes } from './shared-types.ts';
import { status } from './status.ts';

/** Records that no instruction stands behind. They are cases 0… of the dispatch loop. */
export const pseudoHandler = {
  /** The code was overwritten: look it up again. */
  stale: 0,
  /** Go on at the record's own address (the block was cut there). */
  continue: 1,
  /** Go on at the linked record. */
  goto: 2,
  undefined: 3,
  /** Instruction longer than 15 bytes. */
  tooLong: 4,
  /** Enters the region that the record's immediate refers to. */
  translated: 5,
  /** Goes on at the linked record if the next page still lies at the RAM offset in the record's immediate. */
  straddler: 6,
} as const;

export const pseudoHandlers = 7;
export const maxHandlers = 16384;

export const handlerType = { parameters: ['i32'], results: ['i32'] } as const;

/** Of regions, and of the interpreter's loop, which stands in their table as number 0: (record, region reference) → status. */
export const regionType = { parameters: ['i32', 'i32'], results: ['i32'] } as const;

const sizes = [16, 32, 64] as const;

type InstructionForm = Pick<FormKey, 'operandSize' | 'addressSize' | 'registerForm' | 'repeat'>;

/** Keys that a row has. */
const formsOfRow = 3 * 3 * 3 * 8;

/** A number that identifies row and form. */
function keyOf(
  id: number,
  operandSize: number,
  addressSize: number,
  repeat: FormKey['repeat'],
  registerForm: boolean,
  long: boolean,
  locked: boolean,
): number {
  const times = repeat === 0 ? 0 : repeat === 0xf3 ? 1 : 2;
  const flags = (registerForm ? 1 : 0) + (long ? 2 : 0) + (locked ? 4 : 0);
  return ((((id * 3 + times) * 3 + (operandSize >> 5)) * 3 + (addressSize >> 5)) << 3) + flags;
}

export const handlerKey = (row: TableRow, key: FormKey): number =>
  keyOf(row.id, key.operandSize, key.addressSize, key.repeat, key.registerForm, key.long, key.locked);

/** Every form of `row` in code of this kind; many differ in nothing that the row depends on. */
export function formKeys(row: TableRow, long: boolean): FormKey[] {
  if (row.only === (long ? 'not64' : 'only64')) return [];
  const keys: FormKey[] = [];
  const repeats = row.rep === undefined ? ([0] as const) : ([0, 0xf3, 0xf2] as const);
  for (const operandSize of sizes) {
    if (operandSize === 64 && !long) continue;
    for (const addressSize of sizes) {
      if (long ? addressSize === 16 : addressSize === 64) continue;
      for (const repeat of repeats) {
        const key = { operandSize, addressSize, repeat, long };
        if (row.mod !== 'reg') keys.push({ ...key, registerForm: false, locked: false });
        if (row.mod !== 'mem') keys.push({ ...key, registerForm: true, locked: false });
        if (row.lock === true) keys.push({ ...key, registerForm: false, locked: true });
      }
    }
  }
  return keys;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, position) => byte === b[position]);
}

export interface HandlerHost {
  readonly vcpuMemory: WasmMemory;
  readonly guestMemory: WasmMemory;
  readonly table: WasmTable;
  readonly shared: SharedExports;
}

export class Handlers {
  /** Whether other processors may see memory between the read and the write of a locked instruction. */
  readonly atomic: boolean;
  /** By what `handlerKey` tells; 0 where there is none yet, for that is no instruction's. */
  readonly #numbers = new Uint16Array(instructionTable.length * formsOfRow);
  readonly #semantics: Readonly<Record<string, Semantics>>;
  readonly #host: HandlerHost;
  readonly #features: ReadonlySet<string>;
  readonly #countsLookups: boolean;
  #count: number;

  /** `inlined`: the keys of the dispatch loop's cases, in order. `features`: what CPUID offers; other rows are #UD. */
  constructor(
    host: HandlerHost,
    semantics: Readonly<Record<string, Semantics>>,
    features: ReadonlySet<string>,
    inlined: readonly number[],
    atomic = false,
    countsLookups = false,
  ) {
    this.atomic = atomic;
    this.#countsLookups = countsLookups;
    this.#host = host;
    this.#semantics = semantics;
    this.#features = features;
    for (const [position, key] of inlined.entries()) this.#numbers[key] = pseudoHandlers + position;
    this.#count = pseudoHandlers + inlined.length;
  }

  /** The handler for an instruction of this row and form. */
  numberOf(row: TableRow, form: InstructionForm, long: boolean, locked: boolean): number {
    const { operandSize, addressSize, repeat, registerForm } = form;
    const known = this.#numbers[keyOf(row.id, operandSize, addressSize, repeat, registerForm, long, locked)] as number;
    return known !== 0 ? known : this.#numberOf(row, { operandSize, addressSize, repeat, registerForm, long, locked });
  }

  #numberOf(row: TableRow, key: FormKey): number {
    const known = this.#numbers[handlerKey(row, key)] as number;
    if (known !== 0) return known;
    if (row.feature !== undefined && !this.#features.has(row.feature)) {
      const older = instructionTable.find(({ semantics }) => semantics === row.withoutFeature);
      return older === undefined ? pseudoHandler.undefined : this.#numberOf(older, key);
    }
    this.#emitRow(row, key);
    const emitted = this.#numbers[handlerKey(row, key)] as number;
    if (emitted === 0) throw new Error(`no form of ${row.mnemonic} ${row.operands} for ${JSON.stringify(key)}`);
    return emitted;
  }

  /**
   * Emits the missing forms of a row with an address size, a repeat prefix and LOCK: they tend to be needed together, while all
   * of a row's would take several times as long, at every start. Forms that come out the same share a handler; so all the
   * table's rows together stay below `maxHandlers`.
   */
  #emitRow(row: TableRow, { addressSize, repeat, long, locked }: FormKey): void {
    const module = new ModuleBuilder();
    importMemories(module);
    module.importTable('handlers', maxHandlers);
    const functions = Object.fromEntries(
      Object.entries(sharedTypes).map(([name, type]) => [name, module.importFunction(name, type)]),
    ) as unknown as SharedFunctions;
    const emitted: number[] = [];
    const distinct: { body: Uint8Array; handler: number }[] = [];
    for (const key of formKeys(row, long)) {
      const number = handlerKey(row, key);
      if (key.addressSize !== addressSize || key.repeat !== repeat || key.locked !== locked) continue;
      if (this.#numbers[number] !== 0) continue;
      const code = this.#emitCode(functions, row, key);
      const { body } = code.finish();
      let same = distinct.find((other) => sameBytes(other.body, body));
      if (same === undefined) {
        same = { body, handler: this.#count + emitted.length };
        distinct.push(same);
        const index = module.declare(handlerType);
        module.define(index, code);
        emitted.push(index);
      }
      this.#numbers[number] = same.handler;
    }
    if (this.#count + emitted.length > maxHandlers) throw new Error('too many handlers');
    module.fillTable(this.#count, emitted);
    this.#count += emitted.length;
    new webAssembly.Instance(new webAssembly.Module(module.finish()), {
      env: {
        vcpu: this.#host.vcpuMemory,
        ram: this.#host.guestMemory,
        handlers: this.#host.table,
        ...this.#host.shared,
      },
    });
  }

  #emitCode(functions: SharedFunctions, row: TableRow, key: FormKey): CodeBuilder {
    const code = new CodeBuilder(handlerType.parameters);
    const ops = new InterpreterOps(code, code.parameter(0), functions);
    ops.countsLookups = this.#countsLookups;
    emitHandler(ops, formOf(row, key), this.#semantics);
    code.value(i32Constant(status.next));
    return code;
  }
}
