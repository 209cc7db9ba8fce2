/** Workloads on one processor, with an initial RAM disk and nothing else: how fast the processor is. */
import { join } from 'node:path';
import type { CpioEntry } from '../../src/host/node/guest/cpio.ts';
import { provideLinuxPackages } from '../../src/host/node/guest/linux-packages.ts';
import { ok } from '../../src/support/result.ts';
import { type Image, workloadEntries, writeImage } from '../guest/image.ts';
import { PackageSource } from '../guest/packages.ts';
import { measureBoots } from '../measure/boots.ts';
import { measureCosts } from '../measure/costs.ts';
import { Session } from '../measure/session.ts';
import { Ledger } from '../report/report.ts';
import { corbel } from '../runners/corbel.ts';
import { native } from '../runners/native.ts';
import { qemuTcg } from '../runners/qemu.ts';
import type { Runner } from '../runners/runner.ts';
import { type Workload, workloads } from '../workloads.ts';
import { describeHost, prepareRunners, type Suite, type SuiteTools } from './suite.ts';

const allRunners: readonly Runner[] = [native, qemuTcg, corbel('interpret'), corbel('translate')];
/** Beside the workloads; `costs` is memory and idle load. */
const machineMeasures = ['boot', 'costs'];
const defaultRuns = 3;

/** Leaves out, with the reason, what this host cannot prepare. */
async function prepareWorkloads(wants: (name: string) => boolean, ledger: Ledger, note: SuiteTools['note']) {
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

export const engineSuite: Suite = {
  name: 'engine',
  title: 'boot and workloads on one processor, also natively (the default)',
  measures: [...machineMeasures, ...workloads.map(({ name }) => name)],
  runners: allRunners.map(({ name }) => name),
  defaultRuns,
  run: async (options, { folder, note }) => {
    const { wants } = options;
    const runs = options.runs ?? defaultRuns;
    const packages = await provideLinuxPackages(note);
    if (!packages.ok) return packages;
    const startedAt = new Date().toISOString();
    const ledger = new Ledger();
    const { ready, versions } = await prepareRunners(
      allRunners.filter(({ name }) => options.uses(name)),
      ledger,
    );
    const { chosen, entries } = await prepareWorkloads(wants, ledger, note);
    const known = ledger.gaps.length;
    const image = (name: string, more: readonly CpioEntry[]): Promise<Image> =>
      writeImage(join(folder, name), packages.value, more);
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
    const shared = {
      suite: 'engine',
      startedAt,
      host: describeHost(),
      runs,
      memoryMb,
      processors: 1,
      runners: versions,
    };
    return ok({ report: { ...shared, series, gaps }, failed: gaps.length > known });
  },
};
