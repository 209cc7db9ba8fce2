/** Judges a row: the same cases on two executors. Plain data in, plain data out, so that workers can do it. */
import type { Row } from '../../src/cpu/isa/row.ts';
import { type Case, CaseBatch, type Results, ResultWriter } from './case.ts';
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

/** Mismatches of a row that are looked into. */
const maxRepeated = 5;

const replayText = (id: string, seed: number, index: number): string =>
  `  npm run oracle -- --row '${id}' --seed ${seed} --case ${index}\n`;

function batchOf(c: Case): CaseBatch {
  const batch = new CaseBatch(1 << 16);
  batch.append(c.state.bytes, c.code, c.fallsThrough, c.patches);
  return batch;
}

/** Result `index` alone. */
function pick(results: Results, index: number): Results {
  const writer = new ResultWriter();
  writer.appendChanges(results.state(index).bytes, results.changes(index));
  return writer.finish();
}

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

  /**
   * `again` executes a case once more where chance can have touched the expected result.
   * @throws if a case does not end: no instruction may, so the case is wrong.
   */
  add(
    batch: CaseBatch,
    expected: Results,
    actual: Results,
    replay: (index: number) => string,
    again?: (c: Case) => Results,
  ): void {
    for (let i = 0; i < batch.count; i++) {
      this.cases++;
      if (sameRecord(expected, actual, i) && expected.state(i).vector !== hang) continue;
      const c = batch.case(i);
      if (expected.state(i).vector === hang) throw new Error(`a case does not end:\n${replay(i)}${caseText(c)}`);
      const differences = compareResults(this.#shape, c, expected, actual, i);
      if (differences.length === 0) continue;
      if (again !== undefined && this.#isChance(c, again, pick(actual, i))) continue;
      this.mismatches++;
      this.first ??= replay(i) + caseText(c) + differenceText(differences, ...this.#names);
    }
  }

  #isChance(c: Case, again: (c: Case) => Results, actual: Results): boolean {
    if (this.mismatches >= maxRepeated) return false;
    return compareResults(this.#shape, c, again(c), actual, 0).length === 0;
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
    // An interrupt of the host right behind the instruction shows: its IRET clears the RPL of null selectors.
    const again = (c: Case): Results => expected.execute(batchOf(c));
    tally.add(batch, results, actual.execute(batch), (i) => replayText(row.id, seed, start + i), again);
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
