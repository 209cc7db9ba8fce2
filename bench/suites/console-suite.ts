/** Suites of workloads in an initial RAM disk, driven over the serial console: what all of them do. */
import { join } from 'node:path';
import type { CpioEntry } from '../../src/host/node/guest/cpio.ts';
import { ok, type Result } from '../../src/support/result.ts';
import { type Image, workloadEntries, writeImage } from '../guest/image.ts';
import { PackageSource } from '../guest/packages.ts';
import { measureBoots } from '../measure/boots.ts';
import { measureCosts } from '../measure/costs.ts';
import { Session } from '../measure/session.ts';
import { Ledger } from '../report/report.ts';
import type { Runner } from '../runners/runner.ts';
import type { Workload } from '../workloads.ts';
import { describeHost, prepareRunners, type Suite, type SuiteTools } from './suite.ts';

/** Beside the workloads; `costs` is memory and idle load. */
const machineMeasures = ['boot', 'costs'];
const defaultRuns = 3;

export interface ConsoleSuite extends Pick<Suite, 'name' | 'title'> {
  readonly runners: readonly Runner[];
  readonly workloads: readonly Workload[];
  /** Kernel and busybox of the guests. */
  readonly packages: (
    note: SuiteTools['note'],
  ) => Promise<Result<{ readonly kernel: Uint8Array; readonly busybox: Uint8Array }>>;
}

/** Leaves out, with the reason, what this host cannot prepare. */
async function prepareWorkloads(wanted: readonly Workload[], ledger: Ledger, note: SuiteTools['note']) {
  const chosen: Workload[] = [];
  const entries: CpioEntry[] = [];
  const source = new PackageSource();
  for (const workload of wanted) {
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

export function consoleSuite(suite: ConsoleSuite): Suite {
  const { name, title, workloads } = suite;
  return {
    name,
    title,
    measures: [...machineMeasures, ...workloads.map((workload) => workload.name)],
    runners: suite.runners.map((runner) => runner.name),
    defaultRuns,
    run: async (options, { folder, note }) => {
      const { wants } = options;
      const runs = options.runs ?? defaultRuns;
      const packages = await suite.packages(note);
      if (!packages.ok) return packages;
      const startedAt = new Date().toISOString();
      const ledger = new Ledger();
      const used = suite.runners.filter((runner) => options.uses(runner.name));
      const { ready, versions } = await prepareRunners(used, ledger);
      const wanted = workloads.filter((workload) => wants(workload.name));
      const { chosen, entries } = await prepareWorkloads(wanted, ledger, note);
      const known = ledger.gaps.length;
      const image = (part: string, more: readonly CpioEntry[]): Promise<Image> =>
        writeImage(join(folder, part), packages.value, more);
      const plain = await image('plain', []);
      const machines = ready.filter(({ machine }) => machine);
      if (wants('boot')) await measureBoots(machines, plain, runs, ledger, note);
      if (wants('costs')) await measureCosts(machines, plain, ledger, note);
      if (chosen.length > 0) {
        const session = new Session(await image('full', entries), ledger, note);
        await session.start(ready);
        for (const workload of chosen) await session.run(workload, runs);
        await session.measureMemory();
        await session.end();
      }
      const { series, gaps } = ledger;
      const { memoryMb } = plain;
      const shared = { suite: name, startedAt, host: describeHost(), runs, memoryMb, processors: 1, runners: versions };
      return ok({ report: { ...shared, series, gaps }, failed: gaps.length > known });
    },
  };
}
