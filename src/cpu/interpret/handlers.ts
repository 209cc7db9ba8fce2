/**
 * Numbers handlers and brings them into being. The hot ones are cases of the dispatch loop, known from the start; the
 * others are functions. Those of common forms were made when the program was built (`prepare.ts`), others are made
 * the first time a decoded instruction needs one of their row.
 */
import { type WasmMemory, type WasmModule, type WasmTable, webAssembly } from '../../wasm/webassembly.ts';
import type { FormKey } from '../emit/forms.ts';
import type { Semantics } from '../emit/ops.ts';
import type { TableRow } from '../isa/row.ts';
import type { RowFacts } from '../isa/row-facts.ts';
import { instructionTable } from '../isa/table.ts';
import type { CaseNumbers } from './dispatch-cases.ts';
import {
  formKeys,
  formsOfRow,
  handlerKey,
  type InstructionForm,
  keyOf,
  pseudoHandler,
  pseudoHandlers,
} from './handler-keys.ts';
import { HandlerModule } from './handler-module.ts';
import type { PreparedHandlers } from './prepared.ts';
import type { SharedExports } from './shared-types.ts';

export interface HandlerHost {
  readonly vcpuMemory: WasmMemory;
  readonly guestMemory: WasmMemory;
  readonly table: WasmTable;
  readonly shared: SharedExports;
}

export interface HandlersOptions {
  readonly semantics: Readonly<Record<string, Semantics>>;
  /** What CPUID offers; other rows are #UD. */
  readonly features: ReadonlySet<string>;
  readonly cases: CaseNumbers;
  /** Whether other processors may see memory between the read and the write of a locked instruction. */
  readonly atomic: boolean;
  /** Whether looks into the TLB are counted, for statistics. */
  readonly countsLookups: boolean;
  /** Handlers that were made beforehand, with these semantics and behind the same cases, and do not count. */
  readonly prepared?: PreparedHandlers | undefined;
}

export class Handlers {
  readonly atomic: boolean;
  /** By what `handlerKey` tells; 0 where there is none yet, for that is no instruction's. */
  readonly #numbers = new Uint16Array(instructionTable.length * formsOfRow);
  /** By the first handler and the second. */
  readonly #pairs = new Map<number, Uint16Array>();
  readonly #options: HandlersOptions;
  readonly #host: HandlerHost;
  #count: number;

  constructor(host: HandlerHost, options: HandlersOptions) {
    const { atomic, cases, prepared } = options;
    this.atomic = atomic;
    this.#host = host;
    this.#options = options;
    this.#count = pseudoHandlers;
    this.#takeCases(cases);
    if (prepared !== undefined) this.#take(prepared);
  }

  #takeCases({ forms, pairs }: CaseNumbers): void {
    for (let n = 0; n < forms.length; n += 2) {
      const number = forms[n + 1] as number;
      this.#numbers[forms[n] as number] = number;
      this.#count = Math.max(this.#count, number + 1);
    }
    const cases = this.#count;
    for (let n = 0; n < pairs.length; n += 3) {
      const [first, second, both] = [pairs[n], pairs[n + 1], pairs[n + 2]] as [number, number, number];
      const seconds = this.#pairs.get(first) ?? new Uint16Array(cases);
      seconds[second] = both;
      this.#pairs.set(first, seconds);
      this.#count = Math.max(this.#count, both + 1);
    }
  }

  /** The handler that runs what these two would run in turn, if there is one; 0 otherwise. */
  pairOf(first: number, second: number): number {
    return this.#pairs.get(first)?.[second] ?? 0;
  }

  #offers({ feature }: TableRow): boolean {
    return feature === undefined || this.#options.features.has(feature);
  }

  #take({ module, numbers }: PreparedHandlers): void {
    const offered = Uint8Array.from(instructionTable, (row) => (this.#offers(row) ? 1 : 0));
    const own = this.#numbers;
    let count = this.#count;
    for (let n = 0; n < numbers.length; n += 2) {
      const key = numbers[n] as number;
      const handler = numbers[n + 1] as number;
      if (handler >= count) count = handler + 1;
      if (offered[Math.floor(key / formsOfRow)] === 1) own[key] = handler;
    }
    this.#count = count;
    this.#instantiate(module);
  }

  #instantiate(module: WasmModule): void {
    const { vcpuMemory, guestMemory, table, shared } = this.#host;
    new webAssembly.Instance(module, { env: { vcpu: vcpuMemory, ram: guestMemory, handlers: table, ...shared } });
  }

  /** The handler for an instruction of a row and form. */
  numberOf({ id, row }: RowFacts, form: InstructionForm, long: boolean, locked: boolean): number {
    const { operandSize, addressSize, repeat, registerForm } = form;
    const known = this.#numbers[keyOf(id, operandSize, addressSize, repeat, registerForm, long, locked)] as number;
    return known !== 0 ? known : this.#numberOf(row, { operandSize, addressSize, repeat, registerForm, long, locked });
  }

  #numberOf(row: TableRow, key: FormKey): number {
    const known = this.#numbers[handlerKey(row, key)] as number;
    if (known !== 0) return known;
    if (!this.#offers(row)) {
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
   * of a row's would take several times as long. Forms that come out the same share a handler; so all the table's rows
   * together stay below `maxHandlers`.
   */
  #emitRow(row: TableRow, { addressSize, repeat, long, locked }: FormKey): void {
    const { semantics, countsLookups } = this.#options;
    const module = new HandlerModule(semantics, this.#count, countsLookups);
    for (const key of formKeys(row, long)) {
      const number = handlerKey(row, key);
      if (key.addressSize !== addressSize || key.repeat !== repeat || key.locked !== locked) continue;
      if (this.#numbers[number] === 0) this.#numbers[number] = module.add(row, key);
    }
    this.#count += module.count;
    this.#instantiate(new webAssembly.Module(module.finish()));
  }
}
