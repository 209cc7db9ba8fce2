/** stress-ng, which checks what it does, for ten minutes on four processors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testFolder } from '../../../src/host/node/disk/testing/folder.ts';
import { startLinux } from '../linux-process.ts';
import { readAccount, showLog } from './guest-load.ts';
import { unpackDisk, writePackageDisk } from './package-disk.ts';

const file = testFolder();
/** Seconds of each round; all together take ten minutes, unless CORBEL_STRESS_SECONDS says otherwise. */
const seconds = Number(process.env.CORBEL_STRESS_SECONDS ?? 60);

/** What runs side by side, and how many of each. */
const rounds: readonly string[] = [
  '--switch 2 --futex 2 --mutex 2 --sem 2 --sem-sysv 2',
  '--pipe 2 --mq 2 --msg 2 --sockpair 2 --eventfd 2',
  '--mmap 1 --mmap-bytes 16M --vm 2 --vm-bytes 32M --shm 1 --shm-sysv 1 --mremap 1 --mremap-bytes 4M',
  '--cpu 4 --cpu-method all --matrix 1 --fp 1 --vecmath 1',
  '--fork 2 --vfork 1 --clone 1 --exec 1 --pthread 2 --zombie 1',
  '--atomic 4 --lockbus 2 --peterson 1 --dekker 1',
  '--signal 2 --sigq 2 --sigfpe 1 --sigsegv 1 --sigtrap 1 --timer 1 --itimer 1 --nanosleep 1',
  '--tlb-shootdown 2 --membarrier 1 --rseq 1 --affinity 2 --madvise 1 --mprotect 1',
  '--malloc 2 --qsort 1 --hash 1 --bsearch 1 --stack 1 --memcpy 1 --memrate 1 --memrate-bytes 4M',
  '--seccomp 2 --icache 1 --poll 2 --epoll 1 --yield 2 --hrtimers 1 --clock 1',
];

test('stress-ng finds nothing wrong with four processors', {
  timeout: rounds.length * seconds * 3000 + 900_000,
}, async (t) => {
  const disk = file('stress.img');
  await writePackageDisk(disk, ['stress-ng']);
  const command = `${unpackDisk}
mkdir /tmp/work
# The rseq stressor registers restartable sequences itself, which glibc would have done.
export GLIBC_TUNABLES=glibc.pthread.rseq=0
n=0
while read -r stressors; do
  n=$((n + 1))
  stress-ng --verify --oomable --no-rand-seed --temp-path /tmp/work --timeout ${seconds} $stressors </dev/null >/tmp/log 2>&1
  echo "round $n: status $?"
  grep -E 'fail:|error:|skipped|unrecognized|unsuccessful' /tmp/log
done <<end
${rounds.join('\n')}
end
${showLog}`;
  const timeout = String(Math.ceil(rounds.length * seconds * 3 + 800));
  // Pairs of sockets fill 1 GiB with their buffers: the report of Linux's out-of-memory killer would be a complaint.
  const args = ['--timeout', timeout, '--memory', '3G', '--cpus', '4', '--disk', disk];
  const ended = await startLinux([...args, '--exec', command]).ended;
  const { output, log, complaints } = readAccount(ended.stdout.toString());
  t.diagnostic(`the guest ran ${/.*\[ *(\d+)\./s.exec(log)?.[1]} s`);
  assert.deepEqual([ended.status, ended.stderr, complaints], [0, '', []]);
  assert.equal(output, rounds.map((_, n) => `round ${n + 1}: status 0\n`).join(''));
});
