/** What is measured in a Debian with several processors, as data. */
import { readFile } from 'node:fs/promises';
import { fail, type Result } from '../../src/support/result.ts';
import type { DebianGuest } from '../runners/debian-guest.ts';
import { pgbench } from './debian-trials.ts';
import { parseStressNg } from './stress-ng.ts';
import { commandTimeoutMs, printed, type SetUp, shellSetUp, type Trial, timed } from './trial.ts';

/** A time on one processor or of one job beside that of as much work a processor on all of them. */
export interface Gain {
  readonly name: string;
  readonly title: string;
  /** Names of measures in seconds. */
  readonly one: string;
  readonly all: string;
  /** How many times the work of the one the other does. */
  readonly work: number;
}

/** The source package that is compiled: C without a configuration to be made first. */
export const compiledPackage = 'lua5.4';
const forksEach = 300;
const stressors = [
  ['context', 'switches between threads', ''],
  ['futex', 'futexes', ''],
  ['mmap', 'mmap and munmap', '--mmap-bytes 4M'],
  ['pipe', 'pipes', ''],
  ['fork', 'forks', ''],
] as const;

/** `count` copies of a command at once; fails if one does. @param command `$n` is the number of the copy, from 0 */
export function atOnce(count: number, command: string): string {
  const numbers = Array.from({ length: count }, (_, n) => n).join(' ');
  return `p=; for n in ${numbers}; do { ${command}
} & p="$p $!"; done; for i in $p; do wait $i || exit 1; done`;
}

/** In memory, so that no disk takes part: the same bytes everywhere, as programs and libraries have them. */
const makeInputs = shellSetUp(
  `cd /dev/shm && cat /usr/lib/x86_64-linux-gnu/*.so.* /usr/bin/* 2>/dev/null | head -c 48000000 >zstd.data
cat zstd.data zstd.data zstd.data >sha256.data
[ $(cat sha256.data | wc -c) = 144000000 ] || { echo there is not enough to read >&2; exit 1; }`,
);

interface Job {
  readonly name: string;
  readonly title: string;
  readonly command: string;
  /** The same with less to do: what is measured is how fast it goes, and not how soon its code is translated. */
  readonly warmUp: string;
}

const jobs: readonly Job[] = [
  {
    name: 'sha256',
    title: 'sha256sum of 144 MB in memory',
    command: 'sha256sum /dev/shm/sha256.data',
    warmUp: 'head -c 24000000 /dev/shm/sha256.data | sha256sum',
  },
  {
    name: 'zstd',
    title: 'zstd of 48 MB in memory',
    command: 'zstd --single-thread -q -c /dev/shm/zstd.data >/dev/null',
    warmUp: 'head -c 16000000 /dev/shm/zstd.data | zstd --single-thread -q -c >/dev/null',
  },
];

function oneJob({ name, title, command, warmUp }: Job): Trial {
  return {
    measure: { name: `smp-${name}-1`, title: `${title}, one job on one processor`, unit: 's', better: 'less' },
    setUp: makeInputs,
    sample: timed(command, warmUp),
    single: true,
  };
}

function jobOnEach({ name, title, command, warmUp }: Job, cpus: number): Trial {
  return {
    measure: { name: `smp-${name}`, title: `${title}, ${cpus} jobs on ${cpus} processors`, unit: 's', better: 'less' },
    setUp: makeInputs,
    sample: timed(atOnce(cpus, command), atOnce(cpus, warmUp)),
  };
}

/** Half of the project: its core, without its libraries. */
const objects = 'api code ctype debug do dump func gc lex mem object opcodes parser state string table tm undump vm zio'
  .split(' ')
  .map((part) => `l${part}.o`)
  .join(' ');
const make = `make -s -C /root/project/src ${objects} CFLAGS=-O0`;
const clean = 'make -s -C /root/project/src clean';

/** Unpacks it, and compiles it once: the first time is mostly the translation of a compiler. */
function setUpProject(archive: string, cpus: number): SetUp {
  return async (guest: DebianGuest): Promise<Result<unknown>> => {
    const input = await readFile(archive).catch(() => undefined);
    if (input === undefined) return fail('unavailable', `${archive} cannot be read`);
    const unpack = 'mkdir -p /root/project && tar -x -z -C /root/project --strip-components=1';
    return guest.run(`${unpack} && ${make} -j${cpus} >&2`, commandTimeoutMs, { input });
  };
}

/** @param archive the path of the source's archive on this host */
function makes(archive: string, cpus: number): readonly Trial[] {
  const setUp = setUpProject(archive, cpus);
  const trial = (name: string, options: string): Trial => ({
    measure: { name, title: `make ${options} of Lua's core`, unit: 's', better: 'less' },
    setUp,
    sample: timed(`${make} ${options}`, clean),
  });
  return [trial('smp-make-1', '-j1'), trial('smp-make', `-j${cpus}`)];
}

/** @param source the archive of the source that is compiled, or why there is none */
export function processorTrials(cpus: number, source: Result<string>): readonly Trial[] {
  return [
    ...jobs.map(oneJob),
    ...jobs.map((job) => jobOnEach(job, cpus)),
    ...stressors.map(
      ([stressor, title, options]): Trial => ({
        measure: {
          name: `smp-${stressor}`,
          title: `stress-ng: ${title}, ${cpus} at once`,
          unit: 'op/s',
          better: 'more',
        },
        sample: printed(`stress-ng --${stressor} ${cpus} ${options} -t 5 --metrics-brief 2>&1`, (output) =>
          parseStressNg(output, stressor),
        ),
      }),
    ),
    {
      measure: {
        ...{ name: 'smp-forks', title: `${forksEach} forks and execs on each processor`, unit: 's', better: 'less' },
      } as const,
      sample: timed(
        atOnce(cpus, `taskset -c $n sh -c 'i=0; while [ $i -lt ${forksEach} ]; do /bin/true; i=$((i+1)); done'`),
      ),
    },
    pgbench('smp-pgbench-4', 'pgbench: 4 clients, reading and writing', '-c 4 -j 2'),
    ...(source.ok ? makes(source.value, cpus) : []),
  ];
}

export function processorGains(cpus: number): readonly Gain[] {
  const jobGain = (name: string, title: string): Gain => ({
    name: `smp-${name}-gain-${cpus}`,
    title: `${title}: work of ${cpus} processors over that of one`,
    one: `smp-${name}-1`,
    all: `smp-${name}`,
    work: cpus,
  });
  return [
    jobGain('sha256', 'sha256sum'),
    jobGain('zstd', 'zstd'),
    { name: `smp-make-gain-${cpus}`, title: `make: -j${cpus} over -j1`, one: 'smp-make-1', all: 'smp-make', work: 1 },
  ];
}
