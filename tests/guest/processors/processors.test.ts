/** What a Linux with several processors does with each of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLinux } from '../linux-process.ts';
import { readAccount } from './guest-load.ts';

test('an NMI reaches every processor, one goes off line and comes back, and none counts events', {
  timeout: 180_000,
}, async () => {
  // The backtraces that are asked for look like complaints.
  const command = `
cat /proc/sys/kernel/nmi_watchdog
echo 0 >/sys/devices/system/cpu/cpu2/online; cat /sys/devices/system/cpu/online
echo 1 >/sys/devices/system/cpu/cpu2/online; cat /sys/devices/system/cpu/online
dmesg -c >/tmp/before
while :; do :; done &
echo l >/proc/sysrq-trigger; sleep 1; kill $!
dmesg | grep -o 'NMI backtrace for cpu [0-9]' | sort
awk '$1 == "NMI:" { print "NMIs", $2 + $3 + $4 + $5 }' /proc/interrupts
echo; echo '== kernel =='; cat /tmp/before`;
  const append = ['--append', 'nmi_watchdog=1'];
  const ended = await startLinux(['--cpus', '4', ...append, '--exec', command]).ended;
  const { output, log, complaints } = readAccount(ended.stdout.toString());
  assert.deepEqual([ended.status, ended.stderr, complaints], [0, '', []]);
  const backtraces = [0, 1, 2, 3].map((n) => `NMI backtrace for cpu ${n}\n`).join('');
  // The processor that asks needs none.
  assert.equal(output, `0\n0-1,3\n0-3\n${backtraces}NMIs 3\n`);
  assert.match(log, /Performance Events: .*no PMU driver, software events only/);
  assert.match(log, /NMI watchdog: Perf NMI watchdog permanently disabled/);
});
