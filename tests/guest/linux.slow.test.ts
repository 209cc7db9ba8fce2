/** More of the linux guest on the real machine: volume, endings, idleness. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { provideLinuxPackages } from '../../src/host/node/guest/linux-packages.ts';
import { startLinux, startLinuxOnTerminal } from './linux-process.ts';
import { processorSeconds } from './processor-time.ts';

const options = { timeout: 300_000 };

test('--exec: a binary comes through byte for byte', options, async () => {
  const packages = await provideLinuxPackages(() => {});
  assert.ok(packages.ok);
  const ended = await startLinux(['--exec', 'cat /bin/busybox']).ended;
  assert.equal(ended.status, 0);
  assert.ok(ended.stdout.equals(packages.value.busybox));
});

test('--exec: standard input comes through byte for byte', options, async () => {
  const input = randomBytes(100_000);
  const ended = await startLinux(['--exec', 'cat'], input).ended;
  assert.equal(ended.status, 0);
  assert.ok(ended.stdout.equals(input));
});

test('a kernel that panics ends with 75 and the end of its console', options, async () => {
  const ended = await startLinux(['--exec', 'echo c >/proc/sysrq-trigger']).ended;
  assert.equal(ended.status, 75);
  assert.match(ended.stderr, /Kernel panic - not syncing: sysrq triggered crash/);
});

test('reboot starts the guest again; Ctrl-] leaves it', options, async () => {
  const terminal = startLinuxOnTerminal([]);
  await terminal.type('touch /root/old; reboot\r', /machine restart|Restarting system/);
  await terminal.type('', /Run \/init/);
  await terminal.type('ls /root; echo listed\r', /\nlisted\r\n/);
  await terminal.type('\x1d', /$/);
  assert.equal(await terminal.status, 0);
});

test('an idle guest takes under 3 % of a processor', options, async () => {
  const { child, ended } = startLinux(['--exec', 'echo up; sleep 25'], 'open');
  await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const before = processorSeconds(child.pid as number);
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const share = (processorSeconds(child.pid as number) - before) / 15;
  assert.ok(share < 0.03, `${(share * 100).toFixed(1)} %`);
  assert.equal((await ended).status, 0);
});
