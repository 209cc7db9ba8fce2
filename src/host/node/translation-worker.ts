/** The translating thread: guest code comes in, compiled modules go out. */
import { availableParallelism } from 'node:os';
import { semantics } from '../../cpu/semantics/index.ts';
import { findCpuModel } from '../../cpu/system/cpu-model.ts';
import { FormFactsTable } from '../../cpu/translate/form-facts.ts';
import type { TranslationJob } from '../../cpu/translate/job.ts';
import { LatestRegions } from '../../cpu/translate/latest-regions.ts';
import { MadeRegions } from '../../cpu/translate/made-regions.ts';
import { Practice } from '../../cpu/translate/practice.ts';
import { RegionCompiler } from '../../cpu/translate/region-compiler.ts';
import { RegionLibrary } from '../../cpu/translate/region-library.ts';
import { garbageCollector } from './engine-options.ts';
import { receiveWork } from './guest-threads.ts';
import { lowerThisThread } from './thread-priority.ts';
import type { TranslationWork } from './translation-link.ts';

/** WebAssembly that is kept for other processors: about a fifth of what its compiled code takes. */
const libraryBytes = 16 * 2 ** 20;
/** What the last jobs have left, V8 would keep for as long as the guest runs. */
const idleMs = 10_000;

/** Of practice: the first one takes as long as ten others. */
const rounds = 3;

/** When most of what translating calls has been called. */
const warmMs = 2000;

export function start(keepCompiled: () => void): void {
  receiveWork((work: TranslationWork) => {
    lowerThisThread();
    translate(work);
    setTimeout(keepCompiled, warmMs).unref();
  });
}

function translate({ ports, cpuModel, shared, atomic, countsLookups }: TranslationWork): void {
  // A machine with an unknown model is refused; nobody will ask.
  const features = findCpuModel(cpuModel)?.features ?? new Set();
  const made = new MadeRegions(shared.madeRegions);
  const library = ports.length > 1 ? new RegionLibrary(libraryBytes, made) : undefined;
  const nowMs = (): number => performance.now();
  const ram = new Uint8Array(shared.ram.buffer);
  const facts = new FormFactsTable(semantics, features, atomic);
  const options = { semantics, features, ram, atomic, countsLookups, library, facts, nowMs };
  const compiler = new RegionCompiler(options);

  let collect: (() => void) | undefined;
  const idle = setTimeout(() => {
    collect ??= garbageCollector();
    collect();
  }, idleMs).unref();

  for (const port of ports) {
    const memory = new LatestRegions();
    port.on('message', (job: TranslationJob) => {
      port.postMessage(compiler.compile(job, memory));
      idle.refresh();
    });
  }
  // The guest is not running yet; on its only core it would wait for this.
  if (availableParallelism() > 1) practise(new Practice(options), rounds);
}

/** What is asked for meanwhile comes in between. */
function practise(practice: Practice, left: number): void {
  if (left === 0) return;
  practice.run();
  setImmediate(practise, practice, left - 1);
}
