/** `corbel balloon` with a Linux that is left running. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Ended, startProgram } from '../../src/cli/testing/corbel-process.ts';
import { screenOf } from '../../src/cli/testing/screen.ts';
import type { BalloonFacts } from '../../src/host/node/guest-balloon.ts';
import { findVm } from '../../src/host/node/vms/registry.ts';
import { useVmHome } from '../../src/host/node/vms/testing/vm-home.ts';

useVmHome();
const entry = fileURLToPath(new URL('../../src/cli/corbel.ts', import.meta.url));
const mebi = 2 ** 20;

const start = (...args: string[]) =>
  startProgram([process.execPath, '--disable-warning=ExperimentalWarning', entry, ...args], 'open');

async function done(...args: string[]): Promise<Ended> {
  const ended = await start(...args).ended;
  assert.equal(ended.status, 0, ended.stderr);
  return ended;
}

async function balloon(...size: string[]): Promise<BalloonFacts> {
  return JSON.parse((await done('balloon', '--json', 'round', ...size)).stdout.toString());
}

/** Waits until the guest has so much memory and says what of it is free. */
async function becomes(megabytes: number, freeLimit: (free: number) => boolean): Promise<void> {
  for (;;) {
    const { actualBytes, statistics } = await balloon();
    const free = statistics.freeBytes ?? Number.NaN;
    if (actualBytes === megabytes * mebi && freeLimit(free / mebi)) return;
    await delay(500);
  }
}

test('a guest shrinks, grows, and keeps its size over a reboot', { timeout: 600_000 }, async () => {
  await done('run', '--detach', '--name', 'round', '--memory', '512M', '--balloon', '512M');
  const viewer = start('console', 'round');
  const shown = screenOf(viewer.child);
  viewer.child.stdin?.write(
    'dd if=/dev/zero of=/dev/shm/filler bs=1M count=200 2>/dev/null; rm /dev/shm/filler; echo fi""lled\r',
  );
  await shown('filled');
  const pid = findVm('round');
  assert.ok(pid.ok && pid.value.process !== undefined);
  const residentMiB = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid.value.process?.pid}/status`, 'latin1'))?.[1]) / 1024;
  const full = residentMiB();
  assert.equal((await balloon('160M')).targetBytes, 160 * mebi);
  await becomes(160, (free) => free < 160);
  while (residentMiB() > full - 120) await delay(500);
  assert.equal((await balloon('512M')).targetBytes, 512 * mebi);
  await becomes(512, (free) => free > 300);
  await balloon('256M');
  await becomes(256, (free) => free < 256);
  viewer.child.stdin?.write('reboot\r');
  await shown('Linux version');
  assert.equal((await balloon()).targetBytes, 256 * mebi);
  await becomes(256, (free) => free < 256);
  await done('stop', '--timeout', '120', 'round');
  assert.equal((await viewer.ended).status, 0);
});
