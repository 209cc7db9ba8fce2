/** Emits handlers as functions of a module, which enters them in the table of handlers when it is instantiated. */
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { i32Constant } from '../../wasm/expression.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { type FormKey, formOf } from '../emit/forms.ts';
import type { Semantics } from '../emit/ops.ts';
import type { TableRow } from '../isa/row.ts';
import { emitHandler } from './emit-handler.ts';
import { handlerType, maxHandlers } from './handler-keys.ts';
import { InterpreterOps } from './interpreter-ops.ts';
import { importMemories } from './memories.ts';
import { type SharedFunctions, sharedTypes } from './shared-types.ts';
import { status } from './status.ts';

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, position) => byte === b[position]);
}

export class HandlerModule {
  readonly #semantics: Readonly<Record<string, Semantics>>;
  readonly #countsLookups: boolean;
  readonly #module = new ModuleBuilder();
  readonly #functions: SharedFunctions;
  /** Number of its first handler. */
  readonly #first: number;
  readonly #emitted: number[] = [];
  /** By length. */
  readonly #bodies = new Map<number, { readonly body: Uint8Array; readonly handler: number }[]>();

  constructor(semantics: Readonly<Record<string, Semantics>>, first: number, countsLookups: boolean) {
    this.#semantics = semantics;
    this.#first = first;
    this.#countsLookups = countsLookups;
    importMemories(this.#module);
    this.#module.importTable('handlers', maxHandlers);
    this.#functions = Object.fromEntries(
      Object.entries(sharedTypes).map(([name, type]) => [name, this.#module.importFunction(name, type)]),
    ) as unknown as SharedFunctions;
  }

  /** How many handlers there are. */
  get count(): number {
    return this.#emitted.length;
  }

  /** Emits the handler of a form. @returns its number; forms that come out the same share one */
  add(row: TableRow, key: FormKey): number {
    const code = this.#emit(row, key);
    const { body } = code.finish();
    const alike = this.#bodies.get(body.length) ?? [];
    const known = alike.find((other) => sameBytes(other.body, body));
    if (known !== undefined) return known.handler;
    const handler = this.#first + this.count;
    if (handler >= maxHandlers) throw new Error('too many handlers');
    this.#bodies.set(body.length, [...alike, { body, handler }]);
    const index = this.#module.declare(handlerType);
    this.#module.define(index, code);
    this.#emitted.push(index);
    return handler;
  }

  #emit(row: TableRow, key: FormKey): CodeBuilder {
    const code = new CodeBuilder(handlerType.parameters);
    const ops = new InterpreterOps(code, code.parameter(0), this.#functions);
    ops.countsLookups = this.#countsLookups;
    emitHandler(ops, formOf(row, key), this.#semantics);
    code.value(i32Constant(status.next));
    return code;
  }

  /** The module's bytes. @param sections more custom sections, by name */
  finish(sections: Readonly<Record<string, Uint8Array>> = {}): Uint8Array<ArrayBuffer> {
    this.#module.fillTable(this.#first, this.#emitted);
    for (const [name, bytes] of Object.entries(sections)) this.#module.section(name, bytes);
    return this.#module.finish();
  }
}
