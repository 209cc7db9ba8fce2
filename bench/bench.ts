/** `npm run bench`: everything in one run, alternating between the runners. See docs/PERFORMANCE.md. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem, type } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeOptions, type OptionRow, parseOptions } from '../src/cli/options.ts';
import type { CpioEntry } from '../src/host/node/guest/cpio.ts';
import { type LinuxPackages, provideLinuxPackages } from '../src/host/node/guest/linux-packages.ts';
import { fail, ok, type Result } from '../src/support/result.ts';
import { type Image, workloadEntries, writeImage } from './guest/image.ts';
import { PackageSource } from './guest/packages.ts';
import { measureBoots } from './measure/boots.ts';
import { measureCosts } from './measure/costs.ts';
import { Session } from './measure/session.ts';
import { chart } from './report/chart.ts';
import { Ledger, type Report } from './report/report.ts';
import { describeReport } from './report/table.ts';
import { corbel } from './runners/corbel.ts';
import { native } from './runners/native.ts';
import { qemuTcg } from './runners/qemu.ts';
import type { Runner } from './runners/runner.ts';
import { targets } from './targets.ts';
import { type Workload, workloads } from './workloads.ts';

const allRunners: readonly Runner[] = [native, qemuTcg, corbel('interpret'), corbel('translate')];
/** Beside the workloads; `costs` is memory and idle load. */
const machineMeasures = ['boot', 'costs'];
const resultFolder = fileURLToPath(new URL('results', import.meta.url));

const rows: readonly OptionRow[] = [
  { name: 'runs', value: 'N', help: 'how often everything is measured (default 3)' },
  { name: 'only', value: 'PATTERN', help: 'measure only what this regular expression finds a name for' },
  { name: 'runners', value: 'PATTERN', help: 'use only the runners that it finds a name for' },
  { name: 'json', help: 'print the report as JSON' },
  { name: 'help', help: 'print this' },
];

const help = `Usage: npm run bench -- [options]

Measures Corbel side by side with QEMU's translator and the host itself. The
report is printed, and written with a chart to bench/results.

${describeOptions(rows)}

Measures: ${machineMeasures.join(', ')}
Workloads: ${workloads.map(({ name }) => name).join(', ')}
Runners: ${allRunners.map(({ name }) => name).join(', ')}

Exit status: 0 when everything that could run has run, 1 when something failed,
64 for a wrong command line.
`;

interface Options {
  readonly runs: number;
  readonly wants: (name: string) => boolean;
  readonly runners: readonly Runner[];
  readonly json: boolean;
}

function matcher(option: string, pattern: string | undefined): Result<(name: string) => boolean> {
  try {
    const expression = new RegExp(pattern ?? '');
    return ok((name) => expression.test(name));
  } catch {
    return fail('usage', `--${option} takes a regular expression, not "${pattern}".`);
  }
}

function readOptions(args: readonly string[]): Result<Options | 'help'> {
  const parsed = parseOptions(rows, args, 'npm run bench --');
  if (!parsed.ok) return parsed;
  const { values, operands } = parsed.value;
  if (values.has('help')) return ok('help');
  if (operands.length > 0) return fail('usage', `"${operands[0]}" is not an option; --only chooses what is measured.`);
  const runs = values.get('runs')?.at(-1) ?? '3';
  if (!/^[1-9][0-9]{0,3}$/.test(runs)) return fail('usage', `--runs takes a number from 1 to 9999, not "${runs}".`);
  const only = matcher('only', values.get('only')?.at(-1));
  if (!only.ok) return only;
  if (![...machineMeasures, ...workloads.map(({ name }) => name)].some(only.value)) {
    return fail('usage', '--only matches nothing; --help lists the names.');
  }
  const which = matcher('runners', values.get('runners')?.at(-1));
  if (!which.ok) return which;
  const runners = allRunners.filter(({ name }) => which.value(name));
  if (runners.length === 0) return fail('usage', '--runners matches nothing; --help lists the names.');
  return ok({ runs: Number(runs), wants: only.value, runners, json: values.has('json') });
}

function note(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** Leaves out, with the reason, what this host cannot prepare. */
async function prepareWorkloads(wants: Options['wants'], ledger: Ledger) {
  const chosen: Workload[] = [];
  const entries: CpioEntry[] = [];
  const source = new PackageSource();
  for (const workload of workloads.filter(({ name }) => wants(name))) {
    if (workload.packages !== undefined) note(`packages for ${workload.name}`);
    const needed = await workloadEntries(workload, source);
    if (needed.ok) {
      chosen.push(workload);
      entries.push(...needed.value);
    } else ledger.gap(workload.name, 'every runner', needed.error.message);
  }
  await source.close();
  return { chosen, entries };
}

async function measure(options: Options, packages: LinuxPackages, folder: string): Promise<[Report, boolean]> {
  const { runs, wants } = options;
  const startedAt = new Date().toISOString();
  const ledger = new Ledger();
  const versions: Record<string, string> = {};
  const runners: Runner[] = [];
  for (const runner of options.runners) {
    const prepared = await runner.prepare();
    if (prepared.ok) {
      runners.push(runner);
      versions[runner.name] = prepared.value;
    } else ledger.gap('everything', runner.name, prepared.error.message);
  }
  const { chosen, entries } = await prepareWorkloads(wants, ledger);
  const known = ledger.gaps.length;
  const image = (name: string, more: readonly CpioEntry[]): Promise<Image> =>
    writeImage(join(folder, name), packages, more);
  const plain = await image('plain', []);
  const machines = runners.filter(({ machine }) => machine);
  if (wants('boot')) await measureBoots(machines, plain, runs, ledger, note);
  if (wants('costs')) await measureCosts(machines, plain, ledger, note);
  if (chosen.length > 0) {
    const session = new Session(await image('full', entries), ledger, note);
    await session.start(runners);
    for (const workload of chosen) await session.run(workload, runs);
    await session.measureMemory();
    await session.end();
  }
  const { series, gaps } = ledger;
  const [processor] = cpus();
  const gigabytes = `${Math.round(totalmem() / 2 ** 30)} GB`;
  const host = {
    processor: processor?.model ?? 'unknown',
    cores: `${cpus().length} cores`,
    memory: gigabytes,
    kernel: `${type()} ${release()}`,
  };
  const report = { startedAt, host, runs, memoryMb: plain.memoryMb, runners: versions, series, gaps };
  return [report, gaps.length > known];
}

function writeResults(report: Report): void {
  mkdirSync(resultFolder, { recursive: true });
  const base = join(resultFolder, report.startedAt.replace(/\..*/, '').replaceAll(':', '-'));
  const files = [[`${base}.json`, `${JSON.stringify(report, null, 2)}\n`]];
  const drawing = chart(report);
  if (drawing !== undefined) files.push([`${base}.svg`, drawing]);
  for (const [path, content] of files as [string, string][]) {
    writeFileSync(path, content);
    note(`wrote ${relative(process.cwd(), path)}`);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (!options.ok) {
    note(options.error.message);
    return 64;
  }
  if (options.value === 'help') {
    process.stdout.write(help);
    return 0;
  }
  const packages = await provideLinuxPackages(note);
  if (!packages.ok) {
    note(packages.error.message);
    return 65;
  }
  const folder = mkdtempSync(join(tmpdir(), 'corbel-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const [report, failed] = await measure(options.value, packages.value, folder);
  process.stdout.write(options.value.json ? `${JSON.stringify(report, null, 2)}\n` : describeReport(report, targets));
  writeResults(report);
  return failed ? 1 : 0;
}

// Guests are ended on the way out (runners/guest.ts), which a signal alone would skip.
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.on(signal, () => process.exit(status));
process.exitCode = await main(process.argv.slice(2));
