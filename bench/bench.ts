/** `npm run bench`: everything of a suite in one run, alternating between the runners. See docs/PERFORMANCE.md. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { helpFor, type Options, readOptions } from './options.ts';
import { chart } from './report/chart.ts';
import type { Report } from './report/report.ts';
import { describeReport } from './report/table.ts';
import { debianSuite } from './suites/debian.ts';
import { engineSuite } from './suites/engine.ts';
import { i386Suite } from './suites/i386.ts';
import { processorsSuite } from './suites/processors.ts';
import type { Suite } from './suites/suite.ts';
import { targets } from './targets.ts';

const suites: readonly Suite[] = [engineSuite, i386Suite, debianSuite, processorsSuite];
const resultFolder = fileURLToPath(new URL('results', import.meta.url));

function note(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

function writeResults(report: Report): void {
  mkdirSync(resultFolder, { recursive: true });
  const time = report.startedAt.replace(/\..*/, '').replaceAll(':', '-');
  const base = join(resultFolder, `${time}-${report.suite}`);
  const files = [[`${base}.json`, `${JSON.stringify(report, null, 2)}\n`]];
  const drawing = chart(report);
  if (drawing !== undefined) files.push([`${base}.svg`, drawing]);
  for (const [path, content] of files as [string, string][]) {
    writeFileSync(path, content);
    note(`wrote ${relative(process.cwd(), path)}`);
  }
}

/** @returns the exit status */
async function runSuite(suite: Suite, options: Options): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'corbel-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const outcome = await suite.run(options, { folder, note });
  process.off('exit', remove);
  remove();
  if (!outcome.ok) {
    note(`${suite.name} could not run: ${outcome.error.message}`);
    return 65;
  }
  const { report, failed } = outcome.value;
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : describeReport(report, targets));
  writeResults(report);
  return failed ? 1 : 0;
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args, suites);
  if (!options.ok) {
    note(options.error.message);
    return 64;
  }
  if (options.value === 'help') {
    process.stdout.write(helpFor(suites));
    return 0;
  }
  let worst = 0;
  for (const suite of options.value.suites) worst = Math.max(worst, await runSuite(suite, options.value));
  return worst;
}

// What was started is ended, and what was written for it removed, on the way out, which a signal alone would skip.
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.on(signal, () => process.exit(status));
process.exitCode = await main(process.argv.slice(2));
