/** Spreads rows over worker threads. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { RowReport } from './judge.ts';
import type { Reply, Task } from './worker.ts';

export const defaultJobs = (): number => Math.max(1, availableParallelism());

/** What became of a task: a report, or what went wrong in the oracle itself. */
export type Outcome =
  | { readonly id: string; readonly report: RowReport }
  | { readonly id: string; readonly error: string };

function runWorker(next: () => Task | undefined, done: (outcome: Outcome) => void): Promise<void> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url));
    let task: Task | undefined;
    const advance = (): void => {
      task = next();
      if (task !== undefined) worker.postMessage(task);
      else void worker.terminate();
    };
    worker.on('message', (reply: Reply) => {
      if (task !== undefined) done({ id: task.id, ...reply });
      advance();
    });
    worker.on('error', (error) => {
      done({
        id: task?.id ?? 'worker',
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    });
    worker.on('exit', () => resolve());
    advance();
  });
}

/** Performs all tasks on `jobs` threads; `done` hears of each as it ends. A thread that dies takes its row along only. */
export async function performAll(
  tasks: readonly Task[],
  jobs: number,
  done: (outcome: Outcome) => void,
): Promise<void> {
  let index = 0;
  const next = (): Task | undefined => tasks[index++];
  const drain = async (): Promise<void> => {
    while (index < tasks.length) await runWorker(next, done);
  };
  await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, drain));
}
