/** What is measured in a Debian with one processor, as data. */
import { setTimeout as delay } from 'node:timers/promises';
import { fail, mapResult, ok, type Result } from '../../src/support/result.ts';
import { memoryMb } from '../measure/debian-boots.ts';
import { monitorMemory, processorLoad } from '../measure/process.ts';
import type { Measure } from '../report/report.ts';
import type { DebianGuest } from '../runners/debian-guest.ts';
import { hostAddress } from '../runners/debian-runner.ts';
import { parseFio } from './fio.ts';
import { parseIperf3 } from './iperf3.ts';
import { startIperf3 } from './iperf3-server.ts';
import { parsePgbench } from './pgbench.ts';
import { commandTimeoutMs, millions, printed, type SetUp, shellSetUp, type Trial, timed } from './trial.ts';

/** Long enough for what a guest does once a minute. */
const idleSeconds = 60;
const quietMs = 5000;
/** Until a guest has come to rest: longer than machines wait before they give memory back. */
const restMs = 80_000;
const transferSeconds = 6;

/** Written once, so that reads find data and writes find blocks. */
const fioFile = '--filename=/root/fio.data --size=256M --ioengine=libaio --direct=1';
const makeFioFile = shellSetUp(`fio --name=fill ${fioFile} --rw=write --bs=1M --iodepth=4 >/dev/null && sync`);

function fio(measure: Omit<Measure, 'better'>, pattern: string, blockSize: string, depth: number): Trial {
  const job = `--rw=${pattern} --bs=${blockSize} --iodepth=${depth} --time_based --ramp_time=1 --runtime=5`;
  const direction = pattern.endsWith('read') ? 'read' : 'write';
  return {
    measure: { ...measure, better: 'more' },
    setUp: makeFioFile,
    sample: printed(`fio --name=trial ${fioFile} ${job} --output-format=json`, (output) =>
      mapResult(parseFio(output, direction), ({ bytesPerSecond, operationsPerSecond }) =>
        measure.unit === 'MB/s' ? bytesPerSecond / 1e6 : operationsPerSecond,
      ),
    ),
  };
}

function iperf3(name: string, title: string, options: string): Trial {
  return {
    measure: { name, title, unit: 'Mbit/s', better: 'more' },
    needs: 'iperf3',
    sample: async (guest) => {
      const server = await startIperf3();
      if (!server.ok) return server;
      const command = `iperf3 -c ${hostAddress} -p ${server.value.port} -t ${transferSeconds} -J ${options}`;
      // Its status is 1 for what its report then tells.
      const done = await guest.run(`${command} || :`, commandTimeoutMs);
      server.value.stop();
      return done.ok ? millions(parseIperf3(done.value)) : done;
    },
  };
}

/** A database of five branches, half a million accounts. */
const makeDatabase = shellSetUp(
  `cd /tmp && su postgres -c 'createdb bench && pgbench -q -i -s 5 bench' >/tmp/pgbench-init 2>&1 ||
{ tail -n 1 /tmp/pgbench-init >&2; exit 1; }`,
);

export function pgbench(name: string, title: string, options: string): Trial {
  return {
    measure: { name, title, unit: 'tx/s', better: 'more' },
    setUp: makeDatabase,
    sample: printed(`cd /tmp && su postgres -c 'pgbench -n -T 10 ${options} bench' 2>&1`, parsePgbench),
  };
}

/** What the host's own package configuration goes through, as a guest reaches it. @param told by apt-config */
export function guestProxyOption(told: string): string {
  const url = /^PROXY='([^']+)'$/m.exec(told)?.[1];
  if (url === undefined || url === 'DIRECT' || !/^[\w.:/@%+,~-]+$/.test(url)) return '';
  return `-o Acquire::http::Proxy=${url.replace(/\/\/(localhost|127\.0\.0\.1)\b/, `//${hostAddress}`)}`;
}

function aptTrials(proxy: string): readonly Trial[] {
  const apt = `DEBIAN_FRONTEND=noninteractive apt-get -q -y ${proxy}`;
  const update = `${apt} -o APT::Update::Error-Mode=any update`;
  const noLists = 'apt-get clean; rm -rf /var/lib/apt/lists/*';
  const haveLists: SetUp = shellSetUp(`ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || ${update} >&2`);
  return [
    {
      measure: { name: 'apt-update', title: 'apt-get update', unit: 's', better: 'less' },
      sample: timed(update, noLists),
    },
    {
      measure: { name: 'apt-install', title: 'apt-get install of a small package', unit: 's', better: 'less' },
      setUp: haveLists,
      sample: timed(`${apt} install hello && hello`, 'dpkg --purge hello; apt-get clean'),
    },
  ];
}

async function idleLoad(guest: DebianGuest): Promise<Result<number>> {
  await delay(quietMs);
  const load = await processorLoad(guest.pid, idleSeconds).catch(() => undefined);
  return load === undefined ? fail('died', guest.end ?? 'its process cannot be read') : ok(load);
}

const rest: SetUp = async () => ok(await delay(restMs));

async function idleMemory(guest: DebianGuest): Promise<Result<number>> {
  const megabytes = await monitorMemory(guest.pid, memoryMb * 2 ** 20).catch(() => undefined);
  return megabytes === undefined
    ? fail('died', guest.end ?? 'no mapping of its process has the size of its memory')
    : ok(megabytes);
}

async function sshSeconds(guest: DebianGuest): Promise<Result<number>> {
  const startMs = performance.now();
  const done = await guest.run('true', commandTimeoutMs);
  return mapResult(done, () => (performance.now() - startMs) / 1000);
}

/** @param proxy an option for apt-get in the guests */
export function debianTrials(proxy: string): readonly Trial[] {
  return [
    {
      measure: { name: 'idle-memory', title: 'memory beside an idle guest', unit: 'MB', better: 'less' },
      setUp: rest,
      sample: idleMemory,
    },
    {
      measure: { name: 'login-idle', title: 'load of an idle guest on one host core', unit: '%', better: 'less' },
      sample: idleLoad,
    },
    { measure: { name: 'ssh', title: 'a command by SSH', unit: 's', better: 'less' }, sample: sshSeconds },
    fio({ name: 'fio-read', title: 'fio: 1 MB reads, 4 at a time', unit: 'MB/s' }, 'read', '1M', 4),
    fio({ name: 'fio-write', title: 'fio: 1 MB writes, 4 at a time', unit: 'MB/s' }, 'write', '1M', 4),
    fio({ name: 'fio-randread-16', title: 'fio: 4 KB random reads, 16 at a time', unit: 'IO/s' }, 'randread', '4k', 16),
    fio(
      { name: 'fio-randwrite-16', title: 'fio: 4 KB random writes, 16 at a time', unit: 'IO/s' },
      'randwrite',
      '4k',
      16,
    ),
    fio({ name: 'fio-randread-1', title: 'fio: 4 KB random reads, one at a time', unit: 'IO/s' }, 'randread', '4k', 1),
    fio(
      { name: 'fio-randwrite-1', title: 'fio: 4 KB random writes, one at a time', unit: 'IO/s' },
      'randwrite',
      '4k',
      1,
    ),
    iperf3('iperf3-up', 'iperf3: guest to host, through NAT', ''),
    iperf3('iperf3-down', 'iperf3: host to guest, through NAT', '-R'),
    pgbench('pgbench', 'pgbench: one client, reading and writing', '-c 1'),
    pgbench('pgbench-4', 'pgbench: 4 clients, reading and writing', '-c 4 -j 2'),
    pgbench('pgbench-select', 'pgbench: one client, only reading', '-c 1 -S'),
    ...aptTrials(proxy),
  ];
}
