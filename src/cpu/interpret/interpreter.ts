/** Puts the interpreter together: main module, handler table, record cache, jump cache. */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { type WasmMemory, type WasmModule, webAssembly } from '../../wasm/webassembly.ts';
import type { Semantics } from '../emit/ops.ts';
import type { Bus } from '../smp/bus-module.ts';
import type { TranslationService } from '../translate/job.ts';
import { LocalTranslation } from '../translate/local-translation.ts';
import { RegionCompiler } from '../translate/region-compiler.ts';
import { maxRegions } from '../translate/region-store.ts';
import { TranslationPace } from '../translate/translation-pace.ts';
import { Translator } from '../translate/translator.ts';
import { CodeCache } from './code-cache.ts';
import { dispatchCases } from './dispatch-cases.ts';
import { buildMainModule } from './dispatch-loop.ts';
import { maxHandlers } from './handler-keys.ts';
import { Handlers } from './handlers.ts';
import { JumpCache } from './jump-cache.ts';
import { openPreparedHandlers, type PreparedInterpreter } from './prepared.ts';
import type { RamMoves } from './shared-functions.ts';
import type { SharedExports } from './shared-types.ts';

const defaultCodeCacheBytes = 256 << 20;

export interface InterpreterImports {
  /** (kind, bytes) → status; see `slowAccess` and `stackAccess`. */
  readonly accessSlow: (kind: number, bytes: number) => number;
  /** (bytes) → 1 or 0; see `mmu/open-page.ts`. */
  readonly openForWrites: (bytes: number) => number;
  /** See `GuestMemory.written`. */
  readonly written: (ramOffset: number, bytes: number) => void;
  /** (record, host call) → status. */
  readonly host: (record: number, call: number) => number;
  readonly bus: Bus;
}

export interface Interpreter {
  /** Runs from a record until the budget ends or something needs the vCPU. @returns a `status`. */
  readonly run: (record: number, reference: number) => number;
  /** Runs from state.rip if the code there is known. @returns a `status`; `lookup` if it is not. */
  readonly enter: () => number;
  /** Computes the status flags that translated code deferred; needed after `run` before anyone looks at them. */
  readonly settle: () => void;
  readonly moves: RamMoves;
  readonly code: CodeCache;
  readonly jumps: JumpCache;
  readonly translator: Translator;
}

export interface InterpreterOptions {
  readonly vcpuMemory: WasmMemory;
  readonly memory: GuestMemory;
  readonly semantics: Readonly<Record<string, Semantics>>;
  readonly features: ReadonlySet<string>;
  readonly imports: InterpreterImports;
  /** What `prepareInterpreter` makes of the same semantics, if that was kept. */
  readonly prepared: PreparedInterpreter | undefined;
  /** Who translates; absent: this thread does. */
  readonly translation: TranslationService | undefined;
  /** See `VcpuOptions`. */
  readonly codeCacheBytes: number | undefined;
  /** See `RegionRequest`. */
  readonly leavesOnMiss: boolean;
  /** Whether other processors share the memory: locked instructions are atomic. */
  readonly atomic: boolean;
  /** See `VcpuOptions`. */
  readonly coresTaken: (() => boolean) | undefined;
  /** Whether looks into the TLB are counted, for statistics. */
  readonly countsLookups: boolean;
  readonly nowMs: () => number;
  /**
   * A page of RAM receives its first code: writes to it must go the slow way, those of other processors, too, which may
   * be `writers` (a bit each). Its bytes are read when this has returned.
   */
  readonly onNewCodePage: (ramPage: number, writers: number) => void;
}

function mainModule(options: Pick<InterpreterOptions, 'semantics' | 'countsLookups' | 'prepared'>) {
  const { semantics, countsLookups, prepared } = options;
  if (prepared !== undefined) {
    const made = openPreparedHandlers(prepared.handlers);
    return { main: prepared.main, cases: made.cases, made };
  }
  const cases = dispatchCases(semantics);
  return { main: buildMainModule({ semantics, cases, countsLookups }), cases: cases.numbers, made: undefined };
}

export function createInterpreter(options: InterpreterOptions): Interpreter {
  const { vcpuMemory, memory, semantics, features, nowMs, atomic, countsLookups } = options;
  // What was made beforehand does not count.
  const prepared = countsLookups ? undefined : options.prepared;
  const table = new webAssembly.Table({ element: 'anyfunc', initial: maxHandlers, maximum: maxHandlers });
  const { main, cases, made } = mainModule({ semantics, countsLookups, prepared });
  const module: WasmModule = new webAssembly.Module(main);
  const regions = new webAssembly.Table({ element: 'anyfunc', initial: maxRegions, maximum: maxRegions });
  const { bus, ...slow } = options.imports;
  const instance = new webAssembly.Instance(module, {
    env: {
      vcpu: vcpuMemory,
      ram: memory.memory,
      users: memory.users.memory,
      handlers: table,
      regions,
      ...slow,
      ...bus,
    },
  });
  const exported = instance.exports;
  const shared = exported as unknown as SharedExports;
  const host = { vcpuMemory, guestMemory: memory.memory, table, shared };
  const jumps = new JumpCache(vcpuMemory.buffer);
  regions.set(0, exported.run);
  const handlers = new Handlers(host, { semantics, features, cases, atomic, countsLookups, prepared: made });
  const code: CodeCache = new CodeCache(new DataView(vcpuMemory.buffer), memory, handlers, {
    newCodePage: options.onNewCodePage,
    full: () => {
      jumps.flushAll();
      translator.clear();
    },
    overwritten: (ramPage, chunk) => translator.drop(ramPage, chunk),
    isTranslated: (ramPage) => translator.reaches(ramPage),
  });
  const service =
    options.translation ??
    new LocalTranslation(new RegionCompiler({ semantics, features, ram: memory.bytes, nowMs, atomic, countsLookups }));
  const translator = new Translator({
    host,
    table: regions,
    jumps,
    code,
    service,
    cacheBytes: options.codeCacheBytes ?? defaultCodeCacheBytes,
    leavesOnMiss: options.leavesOnMiss,
    pace: new TranslationPace(options.coresTaken ?? (() => false), nowMs),
  });
  const { run, enter, settle } = exported as unknown as Pick<Interpreter, 'run' | 'enter' | 'settle'>;
  return { run, enter, settle, moves: exported as unknown as RamMoves, code, jumps, translator };
}
