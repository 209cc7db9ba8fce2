/** A worker thread of `pool.ts`: judges one row after the other. */
import { parentPort } from 'node:worker_threads';
import { instructionTable } from '../../src/cpu/isa/table.ts';
import { openEngine } from './engine.ts';
import type { Executor } from './executor.ts';
import { judge, judgeRecorded, type RowReport } from './judge.ts';
import { openNative } from './native.ts';
import { areaOf, rows } from './rows.ts';
import { type Recording, readRecordings } from './vectors.ts';

/** What to do for one row: judge fresh cases, or recorded ones. */
export type Task =
  | { readonly kind: 'native'; readonly id: string; readonly seed: number; readonly from: number; readonly to: number }
  | { readonly kind: 'recorded'; readonly id: string };

export type Reply = { readonly report: RowReport } | { readonly error: string };

const recordings = new Map<string, readonly Recording[]>();
let engine: Executor | undefined;

function recordingOf(area: string, id: string): Recording | undefined {
  const known = recordings.get(area) ?? readRecordings(area);
  recordings.set(area, known);
  return known.find((recording) => recording.id === id);
}

function perform(task: Task): RowReport {
  const row = rows.find(({ id }) => id === task.id);
  if (row === undefined) throw new Error(`no row '${task.id}'`);
  engine ??= openEngine();
  if (task.kind === 'recorded') {
    const recording = recordingOf(areaOf(row.row), task.id);
    if (recording === undefined) throw new Error(`no recorded cases of '${task.id}'`);
    return judgeRecorded(row, instructionTable, recording.batch, recording.results, engine);
  }
  const opened = openNative();
  if (!opened.ok) throw new Error(opened.reason);
  return judge({ row, table: instructionTable, seed: task.seed, from: task.from, to: task.to }, opened.native, engine);
}

parentPort?.on('message', (task: Task) => {
  let reply: Reply;
  try {
    reply = { report: perform(task) };
  } catch (error) {
    reply = { error: `${task.id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` };
  }
  parentPort?.postMessage(reply);
});
