/** A worker thread of `pool.ts`: judges one row after the other. */
import { parentPort } from 'node:worker_threads';
import { instructionTable } from '../../src/cpu/isa/table.ts';
import { type Accelerator, openEngine } from './engine.ts';
import type { Executor } from './executor.ts';
import { judge, judgeRecorded, type RowReport } from './judge.ts';
import { openNative } from './native.ts';
import { areaOf, rows } from './rows.ts';
import { type Recording, readRecordings } from './vectors.ts';

/** What to do for one row: judge fresh cases, or recorded ones. */
export type Task = {
  readonly id: string;
  readonly accelerator: Accelerator;
} & (
  | { readonly kind: 'native'; readonly seed: number; readonly from: number; readonly to: number }
  | { readonly kind: 'recorded' }
);

export type Reply = { readonly report: RowReport } | { readonly error: string };

/** One thread's engines, and the recordings that it has read. */
class Judge {
  readonly #engines = new Map<Accelerator, Executor>();
  readonly #recordings = new Map<string, readonly Recording[]>();

  #engineOf(accelerator: Accelerator): Executor {
    const engine = this.#engines.get(accelerator) ?? openEngine(accelerator);
    this.#engines.set(accelerator, engine);
    return engine;
  }

  #recordingOf(area: string, id: string): Recording | undefined {
    const known = this.#recordings.get(area) ?? readRecordings(area);
    this.#recordings.set(area, known);
    return known.find((recording) => recording.id === id);
  }

  perform(task: Task): RowReport {
    const row = rows.find(({ id }) => id === task.id);
    if (row === undefined) throw new Error(`no row '${task.id}'`);
    const engine = this.#engineOf(task.accelerator);
    if (task.kind === 'recorded') {
      const recording = this.#recordingOf(areaOf(row.row), task.id);
      if (recording === undefined) throw new Error(`no recorded cases of '${task.id}'`);
      return judgeRecorded(row, instructionTable, recording.batch, recording.results, engine);
    }
    const opened = openNative();
    if (!opened.ok) throw new Error(opened.reason);
    const { seed, from, to } = task;
    return judge({ row, table: instructionTable, seed, from, to }, opened.native, engine);
  }
}

const worker = new Judge();

parentPort?.on('message', (task: Task) => {
  let reply: Reply;
  try {
    reply = { report: worker.perform(task) };
  } catch (error) {
    reply = { error: `${task.id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` };
  }
  parentPort?.postMessage(reply);
});
