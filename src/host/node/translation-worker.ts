/** The translating thread: guest code comes in, compiled modules go out. */
import { workerData } from 'node:worker_threads';
import { semantics } from '../../cpu/semantics/index.ts';
import { findCpuModel } from '../../cpu/system/cpu-model.ts';
import type { TranslationJob } from '../../cpu/translate/job.ts';
import { RegionCompiler } from '../../cpu/translate/region-compiler.ts';
import type { TranslationWorkerData } from './translation-link.ts';

const { ports, cpuModel, guestPages, atomic } = workerData as TranslationWorkerData;
// A machine with an unknown model is refused; nobody will ask.
const features = findCpuModel(cpuModel)?.features ?? new Set();
const compiler = new RegionCompiler({ semantics, features, guestPages, atomic, nowMs: () => performance.now() });

for (const port of ports) port.on('message', (job: TranslationJob) => port.postMessage(compiler.compile(job)));
