/** Judges a row: the same cases on two executors. Plain data in, plain data out, so that workers can do it. */
import type { Row } from '../../src/cpu/isa/row.ts';
import { CaseBatch, type Results } from './case.ts';
import { compareResults, sameRecord } from './compare.ts';
import type { Executor } from './executor.ts';
import { Generator } from './generate.ts';
import { hang } from './layout.ts';
import { caseText, differenceText } from './report.ts';
import type { NamedRow } from './rows.ts';
import { type Shape, shapeOf } from './shape.ts';

export interface RowReport {
  readonly id: string;
  readonly cases: number;
  readonly mismatches: number;
  /** The first mismatch, readable; absent if there is none. */
  readonly first?: string;
}

/** Cases executed at once: bounds memory. */
const batchSize = 20_000;

const replayText = (id: string, seed: number, index: number): string =>
  `  npm run oracle -- --row '${id}' --seed ${seed} --case ${index}\n`;

class Tally {
  cases = 0;
  mismatches = 0;
  first: string | undefined;
  readonly #shape: Shape;
  readonly #names: readonly [string, string];

  constructor(shape: Shape, expected: string, actual: string) {
    this.#shape = shape;
    this.#names = [expected, actual];
  }

  /** @throws if a case does not end: no instruction may, so the case is wrong. */
  add(batch: CaseBatch, expected: Results, actual: Results, replay: (index: number) => string): void {
    for (let i = 0; i < batch.count; i++) {
      this.cases++;
      if (sameRecord(expected, actual, i) && expected.state(i).vector !== hang) continue;
      const c = batch.case(i);
      if (expected.state(i).vector === hang) throw new Error(`a case does not end:\n${replay(i)}${caseText(c)}`);
      const differences = compareResults(this.#shape, c, expected, actual, i);
      if (differences.length === 0) continue;
      this.mismatches++;
      this.first ??= replay(i) + caseText(c) + differenceText(differences, ...this.#names);
    }
  }

  report(): RowReport {
    const { cases, mismatches, first } = this;
    const report = { id: this.#shape.id, cases, mismatches };
    return first === undefined ? report : { ...report, first };
  }
}

export interface Judged {
  readonly row: NamedRow;
  readonly table: readonly Row[];
  readonly seed: number;
  /** Numbers of the first case and of the one after the last. */
  readonly from: number;
  readonly to: number;
}

/** Generates cases of a row and compares what both executors make of them. */
export function judge({ row, table, seed, from, to }: Judged, expected: Executor, actual: Executor): RowReport {
  const generator = new Generator(row.row, table, seed);
  const tally = new Tally(generator.shape, expected.name, actual.name);
  for (let start = from; start < to; start += batchSize) {
    const batch = new CaseBatch();
    for (let i = start; i < Math.min(to, start + batchSize); i++) generator.append(batch, i);
    const results = expected.execute(batch);
    tally.add(batch, results, actual.execute(batch), (i) => replayText(row.id, seed, start + i));
  }
  return tally.report();
}

/** Compares what an executor makes of recorded cases with what the recorded CPU made of them. */
export function judgeRecorded(
  row: NamedRow,
  table: readonly Row[],
  batch: CaseBatch,
  recorded: Results,
  actual: Executor,
): RowReport {
  const tally = new Tally(shapeOf(row.row, table), 'recorded CPU', actual.name);
  tally.add(batch, recorded, actual.execute(batch), (i) => `  recorded case ${i}\n`);
  return tally.report();
}
