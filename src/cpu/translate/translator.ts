/**
 * Turns hot code into regions: counts how often the interpreter enters a record, translates what is entered often,
 * several regions to a module, and lets the entry record call the region. SDM-visible behaviour does not change.
 */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { pageSize } from '../../memory/guest-memory.ts';
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { type WasmTable, webAssembly } from '../../wasm/webassembly.ts';
import type { DecodeMode, Instruction } from '../decode/instruction.ts';
import { formOf } from '../emit/forms.ts';
import type { HostCall } from '../emit/host-calls.ts';
import type { Semantics } from '../emit/ops.ts';
import { emitHandler } from '../interpret/emit-handler.ts';
import { type HandlerHost, handlerType, pseudoHandler, sharedTypes } from '../interpret/handlers.ts';
import { InterpreterOps, type SharedFunctions } from '../interpret/interpreter-ops.ts';
import { record, recordHeat } from '../interpret/record.ts';
import { vcpuMemoryPages } from '../state/layout.ts';
import { type BlockGraph, buildGraph } from './block-graph.ts';
import { emitRegion } from './emit-region.ts';

/** Times that a record's counter must overflow before its code is translated. */
const hotOverflows = 3;
const batchSize = 16;
/** When the modules reach this size, all are forgotten, and what is still hot is translated again. */
const maxBytes = 96 << 20;
/** What an engine keeps for a module besides its code. */
const moduleOverhead = 26 << 10;
export const maxRegions = 32_768;
/** Slow paths that translated code may call: they touch neither general registers nor control flow. */
const allowedCalls: ReadonlySet<HostCall> = new Set(['sse']);

interface Candidate {
  readonly record: number;
  readonly ramOffset: number;
  readonly mode: DecodeMode;
}

interface Region {
  readonly record: number;
  readonly index: number;
  /** The entry record as the interpreter runs it. */
  readonly original: Uint8Array;
  /** First and last chunk of 64 bytes that its instructions touch. */
  readonly chunks: ReadonlySet<number>;
}

export interface TranslatorStatistics {
  regions: number;
  instructions: number;
  bytes: number;
  dropped: number;
  refused: number;
  milliseconds: number;
}

class SlowPathFound {}

/** Emits for the sake of finding out which slow paths a row calls. */
class ProbingOps extends InterpreterOps {
  override host(name: HostCall): void {
    if (!allowedCalls.has(name)) throw new SlowPathFound();
  }
}

export class Translator {
  readonly statistics: TranslatorStatistics = {
    regions: 0,
    instructions: 0,
    bytes: 0,
    dropped: 0,
    refused: 0,
    milliseconds: 0,
  };
  readonly #host: HandlerHost;
  readonly #table: WasmTable;
  readonly #memory: GuestMemory;
  readonly #semantics: Readonly<Record<string, Semantics>>;
  readonly #features: ReadonlySet<string>;
  readonly #view: DataView;
  readonly #heat = new Map<number, number>();
  readonly #translatable = new Map<number, boolean>();
  /** Regions by page of RAM. */
  #regions = new Map<number, Region[]>();
  #queue: Candidate[] = [];
  #free: number[] = [];
  /** Bytes of modules since everything was forgotten last: an upper bound, for single regions do not free a module. */
  #liveBytes = 0;
  /** Entries that lockstep runs call itself. */
  readonly #detached = new Map<number, ((record: number) => number) | undefined>();
  #detaching = false;
  #next = 0;

  constructor(
    host: HandlerHost,
    table: WasmTable,
    memory: GuestMemory,
    code: { semantics: Readonly<Record<string, Semantics>>; features: ReadonlySet<string> },
  ) {
    this.#host = host;
    this.#table = table;
    this.#memory = memory;
    this.#semantics = code.semantics;
    this.#features = code.features;
    this.#view = new DataView(host.vcpuMemory.buffer);
  }

  /** A record's counter overflowed. @returns whether enough is waiting to translate. */
  noteHot(candidate: Candidate): boolean {
    const { record: address, mode } = candidate;
    if (this.#isOutdated(address)) {
      this.settle(address);
      return false;
    }
    const count = (this.#heat.get(address) ?? 0) + 1;
    const wanted = mode.codeSize === 64;
    if (wanted && count < hotOverflows) {
      this.#heat.set(address, count);
      this.#view.setUint8(address + record.heat, 0);
      return false;
    }
    this.#heat.delete(address);
    this.settle(address);
    if (wanted) this.#queue.push(candidate);
    return this.#queue.length >= batchSize;
  }

  /** Queues a record at once, unless it is translated or was looked at already. */
  request(candidate: Candidate): void {
    if (this.#view.getUint8(candidate.record + record.heat) === recordHeat.settled) return;
    this.settle(candidate.record);
    this.#queue.push(candidate);
  }

  /** Stops counting a record. */
  settle(address: number): void {
    this.#view.setUint8(address + record.heat, recordHeat.settled);
  }

  get waiting(): boolean {
    return this.#queue.length > 0;
  }

  /** Translates everything that waits; no emitted code may be running. */
  translate(now: () => number): void {
    const start = now();
    const queue = this.#queue;
    this.#queue = [];
    const work: { candidate: Candidate; graph: BlockGraph }[] = [];
    for (const candidate of queue) {
      if (this.#isOutdated(candidate.record)) continue;
      const ramPage = Math.floor(candidate.ramOffset / pageSize);
      const page = this.#memory.bytes.slice(ramPage * pageSize, (ramPage + 1) * pageSize);
      const graph = buildGraph(page, candidate.ramOffset % pageSize, candidate.mode, (i) => this.#canTranslate(i));
      if (graph === undefined) this.statistics.refused++;
      else work.push({ candidate, graph });
    }
    if (this.#next + work.length > maxRegions || this.#liveBytes > maxBytes) this.clear();
    else if (work.length > 0) this.#compile(work);
    this.statistics.milliseconds += now() - start;
  }

  /** The record's code changed while it waited, or is translated already. */
  #isOutdated(address: number): boolean {
    const handler = this.#view.getUint16(address + record.handler, true);
    return handler === pseudoHandler.stale || handler === pseudoHandler.goto || handler === pseudoHandler.translated;
  }

  /** Whether a row's semantics stay clear of slow paths; found out once for each form by emitting it. */
  #canTranslate(instruction: Instruction): boolean {
    const { row, operandSize, registerForm, addressSize, repeat } = instruction;
    if (row.feature !== undefined && !this.#features.has(row.feature)) return false;
    const key = row.id * 8 + (operandSize >> 5) * 2 + (registerForm ? 1 : 0);
    let known = this.#translatable.get(key);
    if (known === undefined) {
      known = this.#probe(instruction, { operandSize, addressSize, registerForm, repeat });
      this.#translatable.set(key, known);
    }
    return known;
  }

  #probe(
    instruction: Instruction,
    key: Pick<Instruction, 'operandSize' | 'addressSize' | 'registerForm' | 'repeat'>,
  ): boolean {
    if (this.#semantics[instruction.row.semantics] === undefined) return false;
    const code = new CodeBuilder(handlerType.parameters);
    const functions: SharedFunctions = { segmentLinear: 0, readSlow: 0, readForWriteSlow: 0, writeSlow: 0, host: 0 };
    try {
      emitHandler(
        new ProbingOps(code, code.parameter(0), functions),
        formOf(instruction.row, { ...key, long: true }),
        this.#semantics,
      );
      return true;
    } catch (reason) {
      if (reason instanceof SlowPathFound) return false;
      throw reason;
    }
  }

  #compile(work: readonly { candidate: Candidate; graph: BlockGraph }[]): void {
    const module = new ModuleBuilder();
    module.importMemory('vcpu', { initial: vcpuMemoryPages, maximum: vcpuMemoryPages });
    module.importMemory('ram', { initial: this.#host.guestPages, maximum: this.#host.guestPages });
    const functions = Object.fromEntries(
      Object.entries(sharedTypes).map(([name, type]) => [name, module.importFunction(name, type)]),
    ) as unknown as SharedFunctions;
    for (const [position, { graph }] of work.entries()) {
      const index = module.declare(handlerType);
      module.define(index, emitRegion(graph, functions, this.#semantics));
      module.export(`r${position}`, index);
    }
    const bytes = module.finish();
    this.statistics.bytes += bytes.length;
    this.#liveBytes += bytes.length + moduleOverhead;
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), {
      env: { vcpu: this.#host.vcpuMemory, ram: this.#host.guestMemory, ...this.#host.shared },
    });
    for (const [position, { candidate, graph }] of work.entries())
      this.#install(candidate, graph, exports[`r${position}`]);
  }

  #install(candidate: Candidate, graph: BlockGraph, entry: unknown): void {
    const { record: address, ramOffset } = candidate;
    if (this.#detaching) this.#detached.set(address, entry as (record: number) => number);
    const index = this.#free.pop() ?? this.#next++;
    this.#table.set(index, entry);
    const original = new Uint8Array(this.#view.buffer, address, record.size).slice();
    const chunks = new Set<number>();
    for (const { block } of graph.nodes) {
      const first = block.instructions[0];
      if (first === undefined) continue;
      for (let chunk = first.offset >> 6; chunk <= (block.end - 1) >> 6; chunk++) chunks.add(chunk);
    }
    const ramPage = Math.floor(ramOffset / pageSize);
    const region: Region = { record: address, index, original, chunks };
    const list = this.#regions.get(ramPage);
    if (list === undefined) this.#regions.set(ramPage, [region]);
    else list.push(region);
    if (!this.#detaching) {
      this.#view.setUint16(address + record.handler, pseudoHandler.translated, true);
      this.#view.setUint8(address + record.heat, recordHeat.settled);
      this.#view.setUint32(address + record.immediate, index, true);
    }
    this.statistics.regions++;
    this.statistics.instructions += graph.instructions;
  }

  /** Bytes of a chunk were overwritten: regions with instructions there go back to the interpreter. */
  drop(ramPage: number, chunk: number): void {
    const list = this.#regions.get(ramPage);
    if (list === undefined) return;
    const kept: Region[] = [];
    for (const region of list) {
      if (region.chunks.has(chunk)) this.#remove(region);
      else kept.push(region);
    }
    if (kept.length === 0) this.#regions.delete(ramPage);
    else this.#regions.set(ramPage, kept);
  }

  #remove(region: Region): void {
    if (this.#detached.delete(region.record)) return;
    new Uint8Array(this.#view.buffer).set(region.original, region.record);
    this.#view.setUint8(region.record + record.heat, 0);
    // The table would keep the region's module alive.
    this.#table.set(region.index, null);
    this.#free.push(region.index);
    this.statistics.dropped++;
  }

  /** Translates one entry without letting its record call it; for lockstep. @returns undefined if that cannot be. */
  functionFor(candidate: Candidate, now: () => number): ((record: number) => number) | undefined {
    if (!this.#detached.has(candidate.record)) {
      this.#detached.set(candidate.record, undefined);
      this.#queue.push(candidate);
      this.#detaching = true;
      this.translate(now);
      this.#detaching = false;
    }
    return this.#detached.get(candidate.record);
  }

  /** Forgets all regions, for a full record cache. */
  clear(): void {
    for (const list of this.#regions.values()) for (const region of list) this.#remove(region);
    this.#regions = new Map();
    this.#queue = [];
    this.#heat.clear();
    this.#detached.clear();
    this.#free = [];
    this.#next = 0;
    this.#liveBytes = 0;
  }
}
