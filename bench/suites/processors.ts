/** Debian with several processors: what they are worth, and what they cost each other. */
import { fail } from '../../src/support/result.ts';
import { imageSuite } from '../guest/debian-image.ts';
import { provideSource } from '../guest/source-package.ts';
import type { LoginMeasures } from '../measure/debian-boots.ts';
import { Ledger } from '../report/report.ts';
import { median } from '../report/statistics.ts';
import { compiledPackage, type Gain, processorGains, processorTrials } from '../trials/processor-trials.ts';
import { runDebian, runnerNames } from './debian-suite.ts';
import type { Suite } from './suite.ts';

const measures: LoginMeasures = {
  login: { name: 'smp-login', title: 'power-on to the login prompt', unit: 's', better: 'less' },
};
/** Few rounds, so that the suite takes a quarter of an hour. */
const defaultRuns = 2;

const anySource = fail('unavailable', 'not looked for');
const trialNames = [...processorTrials(2, { ok: true, value: '' })].map(({ measure }) => measure.name);

/** How many times the work gets done in a time. */
export function addGains(gains: readonly Gain[], ledger: Ledger, runners: readonly string[]): void {
  for (const { name, title, one, all, work } of gains) {
    for (const runner of runners) {
      const gain = (work * median(ledger.samples(one, runner))) / median(ledger.samples(all, runner));
      if (Number.isFinite(gain)) ledger.add({ name, title, unit: '×', better: 'more' }, runner, gain);
    }
  }
}

export const processorsSuite: Suite = {
  name: 'processors',
  title: 'Debian with several processors (--cpus)',
  measures: ['smp-login', ...trialNames],
  runners: runnerNames,
  defaultRuns,
  run: async (options, tools) => {
    const { processors, wants } = options;
    const runs = options.runs ?? defaultRuns;
    const ledger = new Ledger();
    const compiles = ['smp-make-1', 'smp-make'].filter(wants);
    if (compiles.length > 0) tools.note(`the source of ${compiledPackage}`);
    const source = compiles.length > 0 ? await provideSource(compiledPackage, imageSuite) : anySource;
    if (!source.ok) for (const name of compiles) ledger.gap(name, 'every runner', source.error.message);
    const trials = processorTrials(processors, source);
    const gains = processorGains(processors);
    const plan = { suite: 'processors', runs, processors, measures, trials };
    const conclude = (all: Ledger, runners: readonly string[]): void => addGains(gains, all, runners);
    return runDebian({ ...plan, conclude }, options, tools, ledger);
  },
};
