/** The oracle as tests: one per area of the table, against the host's CPU where that is possible, otherwise recorded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Accelerator } from './engine.ts';
import { defaultSeed } from './generate.ts';
import { oracleSkip } from './host.ts';
import { openNative } from './native.ts';
import { defaultJobs, performAll } from './pool.ts';
import { type Area, areaOf, areas, type NamedRow, rows } from './rows.ts';
import { readRecordings } from './vectors.ts';
import type { Task } from './worker.ts';

const shownRows = 5;

/** Judges the tasks. @returns what is wrong, empty if nothing is */
async function complaints(tasks: readonly Task[]): Promise<string> {
  const wrong: string[] = [];
  await performAll(tasks, defaultJobs(), (outcome) => {
    if ('error' in outcome) wrong.push(outcome.error);
    else if (outcome.report.first !== undefined) {
      const { id, mismatches, cases, first } = outcome.report;
      wrong.push(`${id}: ${mismatches} of ${cases} cases differ\n${first}`);
    }
  });
  if (wrong.length === 0) return '';
  return `${wrong.length} of ${tasks.length} rows:\n${wrong.slice(0, shownRows).join('\n')}`;
}

const membersOf = (area: Area): readonly NamedRow[] => rows.filter(({ row }) => areaOf(row) === area);

/** Defines tests that judge `cases` fresh cases of every row, where the host's CPU can be the judge. */
export function defineNativeTests(accelerator: Accelerator, cases: number): void {
  const skip = oracleSkip();
  const opened = openNative();
  for (const area of areas) {
    test(`${area}, ${accelerator}: the engine does what this CPU does`, { skip }, async () => {
      assert.ok(opened.ok, opened.ok ? '' : opened.reason);
      const { features } = opened.native;
      const judgeable = membersOf(area).filter(({ row }) => row.feature === undefined || features.has(row.feature));
      assert.ok(judgeable.length > 0);
      const tasks = judgeable.map(
        ({ id }): Task => ({ kind: 'native', id, accelerator, seed: defaultSeed, from: 0, to: cases }),
      );
      const wrong = await complaints(tasks);
      assert.ok(wrong === '', wrong);
    });
  }
}

/** Defines tests that replay the recorded vectors. */
export function defineRecordedTests(accelerator: Accelerator): void {
  for (const area of areas) {
    test(`${area}, ${accelerator}: the engine does what the recorded CPU did`, async () => {
      const recorded = new Set(readRecordings(area).map(({ id }) => id));
      const names = membersOf(area).map(({ id }) => id);
      assert.deepEqual(
        names.filter((id) => !recorded.has(id)),
        [],
        'rows without recorded vectors; npm run oracle -- --record',
      );
      const wrong = await complaints(names.map((id): Task => ({ kind: 'recorded', id, accelerator })));
      assert.ok(wrong === '', wrong);
    });
  }
}
