/**
 * `npm run oracle`: the instruction oracle by hand. Judges rows of the instruction table: the same random cases on the
 * host's CPU and on the engine, all registers, flags, memory and faults compared.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { instructionTable } from '../../src/cpu/isa/table.ts';
import { CaseBatch } from './case.ts';
import { accelerators } from './engine.ts';
import { defaultSeed, Generator } from './generate.ts';
import { type Native, openNative } from './native.ts';
import { defaultJobs, type Outcome, performAll } from './pool.ts';
import { areaOf, areas, excludedRows, matchingRows, type NamedRow, rows } from './rows.ts';
import { writeRecordings } from './vectors.ts';
import type { Task } from './worker.ts';

const exitStatus = { mismatch: 1, usage: 64, unavailable: 69 } as const;
const recordedCases = 36;
const defaultCases = 2000;

const usage = `usage: npm run oracle -- [options]
  --row PATTERN   rows whose name is, begins with or contains PATTERN (default: all)
  --cases N       cases a row (default 2000)
  --seed N        seed of the cases (default ${defaultSeed})
  --case K        case number K alone
  --jobs N        threads (default: one per processor)
  --accel ACCEL   how the engine runs: interpret (default), translate or staying
  --recorded      the recorded vectors in place of the host's CPU
  --record        record vectors of all rows (--cases, default ${recordedCases}) into tests/oracle/vectors
  --list          print the rows' names, and the rows left out with the reason
Exit status: 0 no mismatch, 1 mismatches, 64 wrong usage, 69 this host cannot be the oracle.
`;

class UsageError extends Error {}

function number(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`'${text}' is not a number`);
  return Number(text);
}

function parse() {
  const { values } = parseArgs({
    options: {
      row: { type: 'string' },
      cases: { type: 'string' },
      seed: { type: 'string' },
      case: { type: 'string' },
      jobs: { type: 'string' },
      accel: { type: 'string', default: 'interpret' },
      recorded: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const chosen = values.row === undefined ? rows : matchingRows(values.row);
  if (chosen.length === 0) throw new UsageError(`no row matches '${values.row}'; --list names them`);
  const accelerator = accelerators.find((name) => name === values.accel);
  if (accelerator === undefined) throw new UsageError(`'${values.accel}' is not one of ${accelerators.join(', ')}`);
  const single = values.case === undefined ? undefined : number(values.case, 0);
  return {
    ...values,
    chosen,
    accelerator,
    seed: number(values.seed, defaultSeed),
    cases: number(values.cases, values.record ? recordedCases : defaultCases),
    jobs: Math.max(1, number(values.jobs, defaultJobs())),
    single,
  };
}

type Options = ReturnType<typeof parse>;

function list(): void {
  for (const { id } of rows) process.stdout.write(`${id}\n`);
  for (const { id, reason } of excludedRows) process.stdout.write(`(left out) ${id}: ${reason}\n`);
}

const judgeable = (native: Native, { row }: NamedRow): boolean =>
  row.feature === undefined || native.features.has(row.feature);

function hostName(): string {
  return /^model name\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown';
}

/** Records vectors of every row, area by area. */
function record(native: Native, { cases, seed }: Options): void {
  let total = 0;
  for (const area of areas) {
    const members = rows.filter((named) => areaOf(named.row) === area && judgeable(native, named));
    const recordings = members.map(({ id, row }) => {
      const generator = new Generator(row, instructionTable, seed);
      const batch = new CaseBatch(1 << 16);
      for (let i = 0; i < cases; i++) generator.append(batch, i);
      return { id, batch, results: native.execute(batch) };
    });
    const size = writeRecordings(area, recordings, hostName());
    total += size;
    process.stdout.write(`${area}: ${recordings.length} rows, ${(size / 1024).toFixed(0)} KB\n`);
  }
  process.stdout.write(`${(total / 2 ** 20).toFixed(2)} MB together\n`);
}

function taskOf({ id }: NamedRow, options: Options): Task {
  const { accelerator } = options;
  if (options.recorded) return { kind: 'recorded', id, accelerator };
  const { seed, single, cases } = options;
  return { kind: 'native', id, accelerator, seed, from: single ?? 0, to: single === undefined ? cases : single + 1 };
}

function print(outcome: Outcome): void {
  if ('error' in outcome) process.stdout.write(`${outcome.error}\n`);
  else if (outcome.report.first !== undefined) {
    const { id, cases, mismatches, first } = outcome.report;
    process.stdout.write(`${id}: ${mismatches} of ${cases} cases differ\n${first}\n`);
  }
}

/** @returns the exit status */
async function judgeAll(chosen: readonly NamedRow[], options: Options): Promise<number> {
  const tasks = chosen.map((named) => taskOf(named, options));
  const started = performance.now();
  let cases = 0;
  let bad = 0;
  await performAll(tasks, options.jobs, (outcome) => {
    if ('error' in outcome || outcome.report.mismatches > 0) bad++;
    if ('report' in outcome) cases += outcome.report.cases;
    print(outcome);
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(
    `${tasks.length} rows, ${cases} cases, ${bad} rows with mismatches, seed ${options.seed}, ${seconds} s\n`,
  );
  return bad === 0 ? 0 : exitStatus.mismatch;
}

async function main(): Promise<number> {
  const options = parse();
  if (options.help) process.stdout.write(usage);
  else if (options.list) list();
  else if (options.recorded) return judgeAll(options.chosen, options);
  else {
    const opened = openNative();
    if (!opened.ok) {
      process.stderr.write(`oracle: ${opened.reason}; --recorded replays vectors instead\n`);
      return exitStatus.unavailable;
    }
    if (options.record) record(opened.native, options);
    else {
      const chosen = options.chosen.filter((named) => judgeable(opened.native, named));
      for (const { id } of options.chosen.filter((named) => !chosen.includes(named)))
        process.stdout.write(`(this CPU lacks it) ${id}\n`);
      return judgeAll(chosen, options);
    }
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage =
    error instanceof UsageError ||
    (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
  if (!isUsage) throw error;
  process.stderr.write(`oracle: ${error.message}\n${usage}`);
  process.exitCode = exitStatus.usage;
}
