/** Linux guests that are left running, on the real machine: console, reboot, pause, power-off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Ended, startProgram } from '../../src/cli/testing/corbel-process.ts';
import { screenOf } from '../../src/cli/testing/screen.ts';
import { findVm } from '../../src/host/node/vms/registry.ts';
import { useVmHome } from '../../src/host/node/vms/testing/vm-home.ts';

useVmHome();
const options = { timeout: 600_000 };
const entry = fileURLToPath(new URL('../../src/cli/corbel.ts', import.meta.url));

const start = (...args: string[]) =>
  startProgram([process.execPath, '--disable-warning=ExperimentalWarning', entry, ...args], 'open');

async function done(...args: string[]): Promise<Ended> {
  const ended = await start(...args).ended;
  assert.equal(ended.status, 0, ended.stderr);
  return ended;
}

test(
  'a shell is left running: attached to, rebooted, paused, and powered off when it is asked to',
  options,
  async () => {
    assert.equal((await done('run', '--detach', '--name', 'shell')).stdout.toString(), 'shell\n');
    const viewer = start('console', 'shell');
    const shown = screenOf(viewer.child);
    const type = async (keys: string, answer: string): Promise<void> => {
      viewer.child.stdin?.write(keys);
      await shown(answer);
    };
    await type('\r', '/root #');
    await type('echo sum-$((40+2))\r', '\nsum-42\r\n');
    // A reboot is no end: the same console shows the kernel again.
    await type('reboot\r', 'Linux version');
    await type('\r', '/root #');

    let text = '';
    viewer.child.stdout?.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
    });
    /** Seconds since the guest's start by its own clock, and its time of day. */
    const clocks = async (mark: string): Promise<{ uptime: number; date: number }> => {
      await type(`echo ${mark}-$(cut -d' ' -f1 /proc/uptime)-$(date +%s)-e''nd\r`, '-end\r\n');
      const [, uptime, date] = new RegExp(`\n${mark}-([0-9.]+)-([0-9]+)-end`).exec(text) ?? [];
      return { uptime: Number(uptime), date: Number(date) };
    };
    const hostStart = performance.now();
    const before = await clocks('before');
    await done('pause', 'shell');
    const pausedFrom = performance.now();
    await delay(4000);
    const pausedSeconds = (performance.now() - pausedFrom) / 1000;
    await done('resume', 'shell');
    const after = await clocks('after');
    const hostSeconds = (performance.now() - hostStart) / 1000;
    for (const clock of ['uptime', 'date'] as const) {
      const passed = after[clock] - before[clock];
      // The time of day has whole seconds.
      assert.ok(passed >= 0 && passed <= hostSeconds - pausedSeconds + 1, `${clock}: ${passed} of ${hostSeconds} s`);
    }
    await type('dmesg | grep -ciE "unstable|stall|lockup|marked"; echo counted\r', '\ncounted\r\n');
    assert.match(text, /\n0\r\ncounted\r\n/);

    await done('stop', '--timeout', '120', 'shell');
    await shown('Power down');
    assert.equal((await viewer.ended).status, 0);
    const vm = findVm('shell');
    assert.ok(vm.ok);
    assert.deepEqual([vm.value.state, vm.value.outcome?.kind], ['ended', 'power-off']);
  },
);

test('a command is left running: its output is the log, its status is kept', options, async () => {
  await done('run', '--detach', '--name', 'job', '--exec', 'echo out; echo err >&2; exit 3');
  const { stdout } = await done('logs', '--follow', 'job');
  // Two streams: which of them comes first is not said.
  assert.deepEqual(stdout.toString().replaceAll('\r', '').split('\n').sort(), ['', 'err', 'out']);
  const vm = findVm('job');
  assert.ok(vm.ok);
  assert.deepEqual([vm.value.outcome?.kind, vm.value.outcome?.status], ['command', 3]);
});
