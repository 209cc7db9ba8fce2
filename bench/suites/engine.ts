/** Workloads on one processor, with an initial RAM disk and nothing else: how fast the processor is. */
import { provideLinuxPackages } from '../../src/host/node/guest/linux-packages.ts';
import { corbel } from '../runners/corbel.ts';
import { native } from '../runners/native.ts';
import { qemuTcg } from '../runners/qemu.ts';
import { workloads } from '../workloads.ts';
import { consoleSuite } from './console-suite.ts';

export const engineSuite = consoleSuite({
  name: 'engine',
  title: 'boot and workloads on one processor, also natively (the default)',
  runners: [native, qemuTcg, corbel('interpret'), corbel('translate')],
  workloads,
  packages: (note) => provideLinuxPackages(note),
});
