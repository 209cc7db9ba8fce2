/** The same for a 32-bit system, beside v86, too, which runs no other. */
import { provideLinuxI386 } from '../guest/linux-i386.ts';
import { corbel } from '../runners/corbel.ts';
import { qemuTcg } from '../runners/qemu.ts';
import { v86 } from '../runners/v86.ts';
import { type Workload, workloads } from '../workloads.ts';
import { consoleSuite } from './console-suite.ts';

/** What busybox has for it: packages and compilers of the host are for 64 bits. */
const ownWorkloads: readonly Workload[] = [
  {
    name: 'bzip2',
    title: 'bzip2 of 2 MB (busybox)',
    inputBytes: 2_000_000,
    command: '/bin/busybox bzip2 -c /bench/bzip2/input | sha256sum',
  },
  {
    name: 'gzip-busybox',
    title: 'gzip of 5 MB (busybox)',
    inputBytes: 5_000_000,
    command: '/bin/busybox gzip -c /bench/gzip-busybox/input | sha256sum',
  },
  {
    name: 'sort',
    title: 'sort of 1 MB by lines, three times (busybox)',
    inputBytes: 1_000_000,
    command: 'for i in 1 2 3; do /bin/busybox sort /bench/sort/input | sha256sum; done',
  },
];

export const i386Suite = consoleSuite({
  name: 'i386',
  title: 'boot and workloads of a 32-bit system on one processor, beside v86',
  runners: [qemuTcg, v86, corbel('translate')],
  workloads: [
    ...workloads.filter(({ packages, program }) => packages === undefined && program === undefined),
    ...ownWorkloads,
  ],
  packages: provideLinuxI386,
});
