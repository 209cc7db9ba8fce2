/** The command line of `npm run bench`. */
import { describeOptions, type OptionRow, parseOptions } from '../src/cli/options.ts';
import { fail, ok, type Result } from '../src/support/result.ts';
import type { Suite, SuiteOptions } from './suites/suite.ts';

export interface Options extends SuiteOptions {
  readonly suites: readonly Suite[];
  readonly json: boolean;
}

const processorRange = { least: 2, most: 16 } as const;

function rowsFor(suites: readonly Suite[]): readonly OptionRow[] {
  const names = suites.map(({ name }) => name);
  const runs = suites.map(({ name, defaultRuns }) => `${name} ${defaultRuns}`).join(', ');
  return [
    { name: 'suite', value: 'NAME', help: `${names.join(', ')}, or all (default ${names[0]})` },
    { name: 'runs', value: 'N', help: `how often everything is measured\n(default: ${runs})` },
    { name: 'only', value: 'PATTERN', help: 'measure only what this regular expression finds a name for' },
    { name: 'runners', value: 'PATTERN', help: 'use only the runners that it finds a name for' },
    { name: 'cpus', value: 'N', help: 'processors of each guest of the suite processors (default 2)' },
    { name: 'json', help: 'print the report as JSON, one document a suite' },
    { name: 'help', help: 'print this' },
  ];
}

export function helpFor(suites: readonly Suite[]): string {
  const describe = ({ name, title, measures, runners }: Suite): string =>
    `${name}: ${title}\n  measures: ${measures.join(', ')}\n  runners: ${runners.join(', ')}\n`;
  return `Usage: npm run bench -- [options]

Measures Corbel side by side with QEMU's translator. A report for each suite is
printed, and written with a chart to bench/results.

${describeOptions(rowsFor(suites))}

${suites.map(describe).join('\n')}
Exit status: 0 when everything that could run has run, 1 when something failed,
64 for a wrong command line, 65 when a suite had nothing to run on.
`;
}

function matcher(option: string, pattern: string | undefined): Result<(name: string) => boolean> {
  try {
    const expression = new RegExp(pattern ?? '');
    return ok((name) => expression.test(name));
  } catch {
    return fail('usage', `--${option} takes a regular expression, not "${pattern}".`);
  }
}

/** @param known the first of them is the default */
export function readOptions(args: readonly string[], known: readonly Suite[]): Result<Options | 'help'> {
  const parsed = parseOptions(rowsFor(known), args, 'npm run bench --');
  if (!parsed.ok) return parsed;
  const { values, operands } = parsed.value;
  const last = (name: string): string | undefined => values.get(name)?.at(-1);
  if (values.has('help')) return ok('help');
  if (operands.length > 0) return fail('usage', `"${operands[0]}" is not an option; --only chooses what is measured.`);
  const suiteName = last('suite') ?? known[0]?.name;
  const suites = suiteName === 'all' ? known : known.filter(({ name }) => name === suiteName);
  if (suites.length === 0) {
    const names = known.map(({ name }) => name).join(', ');
    return fail('usage', `--suite takes ${names} or all, not "${suiteName}".`);
  }
  const runs = last('runs');
  if (runs !== undefined && !/^[1-9][0-9]{0,3}$/.test(runs)) {
    return fail('usage', `--runs takes a number from 1 to 9999, not "${runs}".`);
  }
  const cpus = last('cpus') ?? '2';
  const processors = /^[0-9]{1,2}$/.test(cpus) ? Number(cpus) : 0;
  if (processors < processorRange.least || processors > processorRange.most) {
    return fail(
      'usage',
      `--cpus takes a number from ${processorRange.least} to ${processorRange.most}, not "${cpus}".`,
    );
  }
  const only = matcher('only', last('only'));
  if (!only.ok) return only;
  const which = matcher('runners', last('runners'));
  if (!which.ok) return which;
  const chosen = suites.filter(({ measures }) => measures.some(only.value));
  if (chosen.length === 0) return fail('usage', '--only matches nothing; --help lists the names.');
  if (!chosen.every(({ runners }) => runners.some(which.value))) {
    return fail('usage', '--runners matches nothing; --help lists the names.');
  }
  const wants = only.value;
  const uses = which.value;
  return ok({
    ...{ suites: chosen, wants, uses, processors, json: values.has('json') },
    runs: runs === undefined ? undefined : Number(runs),
  });
}
