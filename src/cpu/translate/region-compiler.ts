/** From pages of guest code to a compiled module of regions. */
import { pageSize } from '../../memory/guest-memory.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import type { Semantics } from '../emit/ops.ts';
import { regionType, sharedTypes } from '../interpret/handlers.ts';
import type { SharedFunctions } from '../interpret/interpreter-ops.ts';
import { vcpuMemoryPages } from '../state/layout.ts';
import { type Code, discover } from './discover.ts';
import { emitRegion } from './emit-region.ts';
import { liveFlags } from './flag-liveness.ts';
import { buildGraph, type FlowGraph } from './flow-graph.ts';
import { FormFactsTable } from './form-facts.ts';
import type { RegionRequest, TranslatedRegion, TranslationJob, TranslationResult } from './job.ts';
import { RegionSource } from './region-source.ts';
import { maxRegions } from './region-store.ts';

/** Beyond this, branches leave the region: functions of 8–16 KB compile well. */
const maxInstructions = 250;

interface Work {
  readonly source: RegionSource;
  readonly code: Code;
  readonly graph: FlowGraph;
}

export interface RegionCompilerOptions {
  readonly semantics: Readonly<Record<string, Semantics>>;
  readonly features: ReadonlySet<string>;
  readonly guestPages: number;
  /** For statistics. */
  readonly nowMs: () => number;
}

export class RegionCompiler {
  readonly #options: RegionCompilerOptions;
  readonly #facts: FormFactsTable;

  constructor(options: RegionCompilerOptions) {
    this.#options = options;
    this.#facts = new FormFactsTable(options.semantics, options.features);
  }

  compile(job: TranslationJob): TranslationResult {
    const start = this.#options.nowMs();
    const covered = new Set<number>();
    const work: Work[] = [];
    for (const request of job.regions) {
      if (covered.has(request.ramOffset)) continue;
      const found = this.#examine(request, covered);
      if (found === undefined) continue;
      work.push(found);
      for (const offset of found.graph.entries) covered.add(found.source.ramOffset(offset));
    }
    const { id } = job;
    const refused = job.regions.length - work.length;
    const done = { id, regions: work.map(describe), refused };
    const since = (): number => this.#options.nowMs() - start;
    if (work.length === 0) return { ...done, bytes: 0, milliseconds: since() };
    const bytes = this.#emit(work);
    const module = new webAssembly.Module(bytes);
    return { ...done, module, bytes: bytes.length, milliseconds: since() };
  }

  /** @param covered RAM offsets that become entries of other regions meanwhile */
  #examine(request: RegionRequest, covered: ReadonlySet<number>): Work | undefined {
    const source = new RegionSource(request, this.#facts);
    const entry = request.ramOffset % pageSize;
    const code = discover(entry, source, maxInstructions);
    if (!code.blocks.has(entry)) return undefined;
    const more = code.reentries.filter(
      (offset) => offset !== entry && source.isFree(offset) && !covered.has(source.ramOffset(offset)),
    );
    return { source, code, graph: buildGraph(code, [entry, ...more]) };
  }

  #emit(work: readonly Work[]): Uint8Array<ArrayBuffer> {
    const { guestPages, semantics } = this.#options;
    const module = new ModuleBuilder();
    module.typeIndex(regionType);
    module.importMemory('vcpu', { initial: vcpuMemoryPages, maximum: vcpuMemoryPages });
    module.importMemory('ram', { initial: guestPages, maximum: guestPages });
    module.importTable('regions', maxRegions);
    const functions = Object.fromEntries(
      Object.entries(sharedTypes).map(([name, type]) => [name, module.importFunction(name, type)]),
    ) as unknown as SharedFunctions;
    for (const [position, { source, graph }] of work.entries()) {
      const index = module.declare(regionType);
      const live = liveFlags(graph, (instruction) => this.#facts.of(instruction));
      module.define(index, emitRegion({ graph, liveFlags: live }, functions, semantics));
      module.name(index, `region ${source.ramOffset(graph.entries[0] as number).toString(16)}`);
      module.export(`r${position}`, index);
    }
    return module.finish();
  }
}

function describe({ source, code, graph }: Work): TranslatedRegion {
  const chunks = new Set<number>();
  for (const { instructions } of code.blocks.values()) {
    for (const { instruction, offset } of instructions) {
      for (const at of [offset, offset + instruction.length - 1]) {
        const ramOffset = source.ramOffset(at);
        if (ramOffset >= 0) chunks.add(Math.floor(ramOffset / 64));
      }
    }
  }
  const entries = graph.entries.slice(0, graph.externalEntries).map((offset) => source.ramOffset(offset));
  return { entries, chunks: [...chunks], instructions: code.instructions };
}
