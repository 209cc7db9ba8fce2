/**
 * Turns hot code into regions: takes what the interpreter enters often, translates it, several regions to a module, and
 * lets the records of their entries call them. SDM-visible behaviour does not change.
 */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { pageSize } from '../../memory/guest-memory.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { type WasmTable, webAssembly } from '../../wasm/webassembly.ts';
import type { Semantics } from '../emit/ops.ts';
import { type HandlerHost, pseudoHandler, regionType, sharedTypes } from '../interpret/handlers.ts';
import type { SharedFunctions } from '../interpret/interpreter-ops.ts';
import type { JumpCache } from '../interpret/jump-cache.ts';
import { record, recordHeat } from '../interpret/record.ts';
import { vcpuMemoryPages } from '../state/layout.ts';
import { type Code, discover } from './discover.ts';
import { emitRegion } from './emit-region.ts';
import { liveFlags } from './flag-liveness.ts';
import { buildGraph, type FlowGraph } from './flow-graph.ts';
import { FormFactsTable } from './form-facts.ts';
import { type Candidate, type RecordAt, RegionSource } from './region-source.ts';
import { maxRegions, type RegionModule, RegionStore } from './region-store.ts';

/** Times that a record's counter must overflow before its code is translated. */
const hotOverflows = 3;
const batchSize = 16;
/** When the modules reach this size, all are forgotten, and what is still hot is translated again. */
const maxBytes = 96 << 20;
/** What an engine keeps for a module besides its code. */
const moduleOverhead = 26 << 10;
/** Beyond this, branches leave the region: functions of 8–16 KB compile well. */
const maxInstructions = 250;
const mode64 = 2;

/** A region as a function for lockstep runs: (record, reference) → status. */
export type RegionFunction = (record: number, reference: number) => number;

export interface TranslatorStatistics {
  regions: number;
  instructions: number;
  bytes: number;
  dropped: number;
  refused: number;
  milliseconds: number;
}

interface Work {
  readonly candidate: Candidate;
  readonly source: RegionSource;
  readonly code: Code;
  readonly graph: FlowGraph;
}

export interface TranslatorOptions {
  readonly host: HandlerHost;
  readonly table: WasmTable;
  readonly memory: GuestMemory;
  readonly semantics: Readonly<Record<string, Semantics>>;
  readonly features: ReadonlySet<string>;
  readonly jumps: JumpCache;
  /** The interpreter's record for 64-bit code. */
  readonly recordAt: RecordAt;
}

export class Translator {
  readonly #statistics: TranslatorStatistics = {
    regions: 0,
    instructions: 0,
    bytes: 0,
    dropped: 0,
    refused: 0,
    milliseconds: 0,
  };
  readonly #options: TranslatorOptions;
  readonly #view: DataView;
  readonly #store: RegionStore;
  readonly #facts: FormFactsTable;
  readonly #heat = new Map<number, number>();
  #queue: Candidate[] = [];
  /** Entries that lockstep runs call themselves, by RAM offset. */
  readonly #detached = new Map<number, RegionFunction | undefined>();

  constructor(options: TranslatorOptions) {
    this.#options = options;
    this.#view = new DataView(options.host.vcpuMemory.buffer);
    this.#store = new RegionStore(options.table, this.#view, options.jumps);
    this.#facts = new FormFactsTable(options.semantics, options.features);
  }

  get statistics(): Readonly<TranslatorStatistics> {
    return { ...this.#statistics, dropped: this.#store.dropped };
  }

  referenceOf(address: number): number {
    return this.#store.referenceOf(address);
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
    const work: Work[] = [];
    const covered = new Set<number>();
    for (const candidate of queue) {
      if (this.#isOutdated(candidate.record) || covered.has(candidate.ramOffset)) continue;
      const found = this.#examine(candidate, covered);
      if (found === undefined) {
        this.#statistics.refused++;
        continue;
      }
      work.push(found);
      for (const offset of found.graph.entries) covered.add(found.source.ramOffset(offset));
    }
    if (this.#store.isFull || this.#store.bytes > maxBytes) this.clear();
    else if (work.length > 0) this.#compile(work);
    this.#statistics.milliseconds += now() - start;
  }

  /** The record's code changed while it waited, or is translated already. */
  #isOutdated(address: number): boolean {
    const handler = this.#view.getUint16(address + record.handler, true);
    return handler === pseudoHandler.stale || handler === pseudoHandler.goto || handler === pseudoHandler.translated;
  }

  /** @param covered RAM offsets that become entries of other regions meanwhile */
  #examine(candidate: Candidate, covered: ReadonlySet<number>): Work | undefined {
    const { memory, recordAt } = this.#options;
    const source = new RegionSource(candidate, memory, this.#facts, recordAt);
    const entry = candidate.ramOffset % pageSize;
    const code = discover(entry, source, maxInstructions);
    if (!code.blocks.has(entry)) return undefined;
    const entries = code.reentries.filter((offset) => {
      const ramOffset = source.ramOffset(offset);
      return offset !== entry && !covered.has(ramOffset) && !this.#isOutdated(recordAt(ramOffset));
    });
    return { candidate, source, code, graph: buildGraph(code, [entry, ...entries]) };
  }

  /** Emits and compiles. @returns the regions' functions. */
  #build(work: readonly Work[]): { functions: RegionFunction[]; bytes: number } {
    const { host, table, semantics } = this.#options;
    const module = new ModuleBuilder();
    module.typeIndex(regionType);
    module.importMemory('vcpu', { initial: vcpuMemoryPages, maximum: vcpuMemoryPages });
    module.importMemory('ram', { initial: host.guestPages, maximum: host.guestPages });
    module.importTable('regions', maxRegions);
    const functions = Object.fromEntries(
      Object.entries(sharedTypes).map(([name, type]) => [name, module.importFunction(name, type)]),
    ) as unknown as SharedFunctions;
    for (const [position, { candidate, graph }] of work.entries()) {
      const index = module.declare(regionType);
      const live = liveFlags(graph, (instruction) => this.#facts.of(instruction));
      module.define(index, emitRegion({ graph, liveFlags: live }, functions, semantics));
      module.name(index, `region ${candidate.ramOffset.toString(16)}`);
      module.export(`r${position}`, index);
    }
    const bytes = module.finish();
    this.#statistics.bytes += bytes.length;
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), {
      env: { vcpu: host.vcpuMemory, ram: host.guestMemory, regions: table, ...host.shared },
    });
    return { functions: work.map((_, position) => exports[`r${position}`] as RegionFunction), bytes: bytes.length };
  }

  #compile(work: readonly Work[]): void {
    const { functions, bytes } = this.#build(work);
    const module: RegionModule = { bytes: bytes + moduleOverhead, live: 0 };
    for (const [position, { source, code, graph }] of work.entries()) {
      const entries = graph.entries.slice(0, graph.externalEntries).map((offset) => {
        const ramOffset = source.ramOffset(offset);
        return { record: this.#options.recordAt(ramOffset), ramOffset };
      });
      const { instructions } = code;
      const chunks = chunksOf(code, source);
      this.#store.add({ function: functions[position], module, entries, chunks, instructions }, mode64);
      this.#statistics.regions++;
      this.#statistics.instructions += instructions;
    }
  }

  /** Bytes of a chunk were overwritten: regions with instructions there go back to the interpreter. */
  drop(ramPage: number, chunk: number): void {
    this.#store.drop(ramPage, chunk);
    if (this.#detached.size > 0) this.#detached.clear();
  }

  /** Translates one entry without letting its record call it; for lockstep. @returns undefined if that cannot be. */
  functionFor(candidate: Candidate): RegionFunction | undefined {
    const { ramOffset } = candidate;
    if (!this.#detached.has(ramOffset)) {
      const found = this.#examine(candidate, new Set());
      this.#detached.set(ramOffset, found === undefined ? undefined : this.#build([found]).functions[0]);
    }
    return this.#detached.get(ramOffset);
  }

  /** Forgets all regions, for a full record cache. */
  clear(): void {
    this.#store.clear();
    this.#queue = [];
    this.#heat.clear();
    this.#detached.clear();
  }
}

/** RAM offsets / 64 that a region's instructions touch. */
function chunksOf(code: Code, source: RegionSource): Set<number> {
  const chunks = new Set<number>();
  for (const { instructions } of code.blocks.values()) {
    for (const { instruction, offset } of instructions) {
      for (const at of [offset, offset + instruction.length - 1]) {
        const ramOffset = source.ramOffset(at);
        if (ramOffset >= 0) chunks.add(Math.floor(ramOffset / 64));
      }
    }
  }
  return chunks;
}
