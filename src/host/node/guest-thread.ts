/** The beginning of each of the threads that machines run on. */
import { workerData } from 'node:worker_threads';
import { guestRun, loadProgram } from './compiled-program.ts';

/** What such a thread's program exports. */
export interface ThreadProgram {
  /** @param keepCompiled to be called once, as `LoadedProgram.keep` */
  readonly start: (keepCompiled: () => void) => void;
}

void begin();

async function begin(): Promise<void> {
  const program = await loadProgram<ThreadProgram>(new URL(workerData as string), guestRun);
  program.exports.start(program.keep);
}
