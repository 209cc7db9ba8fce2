/** From pages of guest code to a compiled module of regions. */
import { pageSize } from '../../memory/guest-memory.ts';
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { type WasmModule, webAssembly } from '../../wasm/webassembly.ts';
import type { Semantics } from '../emit/ops.ts';
import { regionType } from '../interpret/handler-keys.ts';
import { importMemories } from '../interpret/memories.ts';
import { chunkBytes } from '../interpret/record-index.ts';
import { type SharedFunctions, sharedTypes } from '../interpret/shared-types.ts';
import { type Block, type Code, discover } from './discover.ts';
import { emitRegion } from './emit-region.ts';
import { liveFlags } from './flag-liveness.ts';
import { buildGraph, type FlowGraph, findReturnSites } from './flow-graph.ts';
import { FormFactsTable } from './form-facts.ts';
import {
  type RegionRequest,
  requestsOf,
  type TranslatedModule,
  type TranslatedRegion,
  type TranslationJob,
  type TranslationResult,
} from './job.ts';
import { LatestRegions } from './latest-regions.ts';
import { lastPageOf } from './page-guards.ts';
import type { DefineFunction } from './rare-emitter.ts';
import type { RegionLibrary, SharedRegion } from './region-library.ts';
import { RegionSource } from './region-source.ts';
import { maxRegions } from './region-store.ts';

/** Beyond this, branches leave the region. Leaving one for another costs some nanoseconds, compiling it more than linearly. */
const maxInstructions = 500;

interface Work {
  readonly request: RegionRequest;
  readonly source: RegionSource;
  readonly code: Code;
  /** Distances of the pages that it has instructions in, in pages, from the first entry's. */
  readonly pages: readonly number[];
  readonly graph: FlowGraph;
}

export interface RegionCompilerOptions {
  readonly semantics: Readonly<Record<string, Semantics>>;
  readonly features: ReadonlySet<string>;
  /** Guest RAM. */
  readonly ram: Uint8Array;
  /** What was made before for any processor; absent: there is only one. */
  readonly library?: RegionLibrary | undefined;
  /** Whether several processors share the memory: locked instructions are atomic. */
  readonly atomic: boolean;
  /** Whether looks into the TLB are counted, for statistics. */
  readonly countsLookups: boolean;
  /** What is known of instructions' forms already. */
  readonly facts?: FormFactsTable | undefined;
  /** For statistics. */
  readonly nowMs: () => number;
}

export class RegionCompiler {
  readonly #options: RegionCompilerOptions;
  readonly #facts: FormFactsTable;

  constructor(options: RegionCompilerOptions) {
    this.#options = options;
    this.#facts = options.facts ?? new FormFactsTable(options.semantics, options.features, options.atomic);
  }

  /** @param memory of what came of its latest jobs, for whoever has several under way at a time */
  compile(job: TranslationJob, memory = new LatestRegions()): TranslationResult {
    const start = this.#options.nowMs();
    const covered = new Set<number>();
    const work: Work[] = [];
    const shared: SharedRegion[] = [];
    const postponed: number[] = [];
    const requests = requestsOf(job, this.#options.ram);
    memory.begin();
    for (const request of requests) {
      if (covered.has(request.ramOffset)) continue;
      if (memory.postpones(request.ramOffset)) {
        postponed.push(request.ramOffset);
        continue;
      }
      const known = this.#options.library?.find(request);
      if (known !== undefined) {
        shared.push(known);
        for (const { ramOffset } of known.region.entries) covered.add(ramOffset);
        continue;
      }
      if (request.sharedOnly) {
        postponed.push(request.ramOffset);
        continue;
      }
      const found = this.#examine(request, covered);
      if (found === undefined) continue;
      work.push(found);
      for (const offset of found.graph.entries) covered.add(found.source.ramOffset(offset));
      for (const offset of innerOffsets(found)) memory.add(found.source.ramOffset(offset));
    }
    const { id, long } = job;
    const refused = requests.length - work.length - shared.length - postponed.length;
    const modules = [...(work.length === 0 ? [] : [this.#make(work)]), ...byModule(shared)];
    return { id, long, modules, refused, postponed, milliseconds: this.#options.nowMs() - start };
  }

  #make(work: readonly Work[]): TranslatedModule {
    const code = this.#emit(work);
    const module = new webAssembly.Module(code);
    const regions = work.map(describe);
    const requests = work.map(({ request }) => request);
    this.#options.library?.add(module, code.length, regions, requests);
    return { module, bytes: code.length, regions };
  }

  /** @param covered RAM offsets that become entries of other regions meanwhile */
  #examine(request: RegionRequest, covered: ReadonlySet<number>): Work | undefined {
    const source = new RegionSource(request, this.#facts);
    const entry = request.ramOffset % pageSize;
    const code = discover(entry, source, maxInstructions);
    if (!code.blocks.has(entry)) return undefined;
    const returnSites = findReturnSites(code.blocks);
    // What calls in the region come back to is reached from within.
    const inner = new Set([entry, ...[...returnSites.values()].flat()]);
    const more = code.reentries.filter(
      (offset) => !inner.has(offset) && source.isFree(offset) && !covered.has(source.ramOffset(offset)),
    );
    return { request, source, code, pages: pagesOf(code), graph: buildGraph(code, [entry, ...more], returnSites) };
  }

  #emit(work: readonly Work[]): Uint8Array<ArrayBuffer> {
    const { semantics, atomic, countsLookups } = this.#options;
    const module = new ModuleBuilder();
    module.typeIndex(regionType);
    importMemories(module);
    module.importTable('regions', maxRegions);
    const functions = Object.fromEntries(
      Object.entries(sharedTypes).map(([name, type]) => [name, module.importFunction(name, type)]),
    ) as unknown as SharedFunctions;
    const defined = new Map<string, number>();
    const define: DefineFunction = (name, type, emit) => {
      const known = defined.get(name);
      if (known !== undefined) return known;
      const index = module.declare(type);
      defined.set(name, index);
      const code = new CodeBuilder(type.parameters);
      emit(code);
      module.define(index, code);
      module.name(index, name);
      return index;
    };
    for (const [position, { request, source, graph, pages }] of work.entries()) {
      const { long, leavesOnMiss } = request;
      const index = module.declare(regionType);
      const live = liveFlags(graph, (instruction) => this.#facts.of(instruction, long));
      const placed = pages.map((distance) => ({ distance, ramOffset: source.ramOffset(distance * pageSize) }));
      module.define(
        index,
        emitRegion(
          { long, graph, liveFlags: live, pages: placed, atomic, countsLookups, leavesOnMiss },
          { functions, define, semantics },
        ),
      );
      module.name(index, `region ${source.ramOffset(graph.entries[0] as number).toString(16)}`);
      module.export(`r${position}`, index);
    }
    return module.finish();
  }
}

/** Offsets of the instructions that the region cannot be entered at. */
function innerOffsets({ code, graph }: Work): number[] {
  const entries = new Set(graph.entries);
  const all = [...code.blocks.values()].flatMap(({ instructions }) => instructions.map(({ offset }) => offset));
  return all.filter((offset) => !entries.has(offset));
}

function pagesOf(code: Code): number[] {
  const pages = new Set([0]);
  for (const { instructions } of code.blocks.values()) {
    for (const { instruction, offset } of instructions) {
      pages.add(Math.floor(offset / pageSize));
      pages.add(Math.floor((offset + instruction.length - 1) / pageSize));
    }
  }
  return [...pages];
}

/** Regions of others' modules, a module at a time. */
function byModule(shared: readonly SharedRegion[]): TranslatedModule[] {
  const modules = new Map<WasmModule, TranslatedRegion[]>();
  for (const { module, region } of shared) modules.set(module, [...(modules.get(module) ?? []), region]);
  return [...modules].map(([module, regions]) => ({ module, bytes: 0, regions }));
}

function describe({ source, code, pages, graph }: Work, position: number): TranslatedRegion {
  const chunks = new Set<number>();
  for (const { instructions } of code.blocks.values()) {
    for (const { instruction, offset } of instructions) {
      for (const at of [offset, offset + instruction.length - 1])
        chunks.add(Math.floor(source.ramOffset(at) / chunkBytes));
    }
  }
  return {
    position,
    entries: graph.entries.map((offset) => ({
      ramOffset: source.ramOffset(offset),
      page: Math.floor(offset / pageSize),
      lastPage: lastPageOf(code.blocks.get(offset) as Block),
    })),
    pages: pages.map((distance) => [distance, source.ramOffset(distance * pageSize)]),
    chunks: [...chunks],
    instructions: code.instructions,
  };
}
