import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enterCgroup } from './cgroup.ts';
import { FakeCgroups } from './testing/fake-cgroups.ts';

const pid = 4242;
const settings = { limit: 0.5, shares: 2048 };
const own = `corbel-${pid}`;

function settingsOf(cgroups: FakeCgroups, path: string): Record<string, string> {
  return Object.fromEntries(cgroups.group(path)?.settings ?? []);
}

function refusal(cgroups: FakeCgroups, given = settings): string {
  const before = [...cgroups.groups.keys()];
  const { where } = cgroups;
  const entered = enterCgroup(given, pid, cgroups);
  assert.ok(!entered.ok);
  assert.deepEqual([...cgroups.groups.keys()], before);
  assert.equal(cgroups.where, where);
  return entered.error.message;
}

test('alone in a delegated cgroup, the process gets one below it, and leaves all as it was', () => {
  const cgroups = new FakeCgroups(pid);
  cgroups.add('/user.slice', { children: ['cpu'] });
  cgroups.add('/user.slice/run-1.scope', { processes: [pid], writable: true });
  const entered = enterCgroup(settings, pid, cgroups);
  assert.ok(entered.ok);
  assert.equal(cgroups.where, `/user.slice/run-1.scope/${own}`);
  assert.deepEqual(settingsOf(cgroups, cgroups.where), { 'cpu.max': '50000 100000', 'cpu.weight': '200' });
  entered.value.leave();
  assert.equal(cgroups.where, '/user.slice/run-1.scope');
  assert.equal(cgroups.group(`/user.slice/run-1.scope/${own}`), undefined);
  assert.deepEqual([...(cgroups.group('/user.slice/run-1.scope')?.children ?? ['?'])], []);
});

test('where somebody has prepared a tree, the process gets one beside that of its shell', () => {
  const cgroups = new FakeCgroups(pid);
  cgroups.add('/guests', { children: ['cpu'], writable: true });
  cgroups.add('/guests/shell', { processes: [7, pid], writable: true });
  const entered = enterCgroup({ limit: undefined, shares: 1024 }, pid, cgroups);
  assert.ok(entered.ok);
  assert.equal(cgroups.where, `/guests/${own}`);
  assert.deepEqual(settingsOf(cgroups, cgroups.where), { 'cpu.weight': '100' });
  entered.value.leave();
  assert.equal(cgroups.where, '/guests/shell');
});

test('limits and shares at their ends become what the kernel takes', () => {
  const written = (given: typeof settings) => {
    const cgroups = new FakeCgroups(pid);
    cgroups.add('/alone', { processes: [pid], writable: true });
    assert.ok(enterCgroup(given, pid, cgroups).ok);
    return settingsOf(cgroups, cgroups.where);
  };
  assert.deepEqual(written({ limit: 0.01, shares: 2 }), { 'cpu.max': '1000 100000', 'cpu.weight': '1' });
  assert.deepEqual(written({ limit: 2.5, shares: 262_144 }), { 'cpu.max': '250000 100000', 'cpu.weight': '10000' });
});

test('cgroups that killed processes have left are removed', () => {
  const cgroups = new FakeCgroups(pid);
  cgroups.add('/alone', { processes: [pid], writable: true });
  // No process has such a number. Source: linux/threads.h, PID_MAX_LIMIT.
  cgroups.add('/alone/corbel-5000000', { writable: true });
  cgroups.add(`/alone/corbel-${process.pid}`, { writable: true });
  assert.ok(enterCgroup(settings, pid, cgroups).ok);
  assert.equal(cgroups.group('/alone/corbel-5000000'), undefined);
  assert.notEqual(cgroups.group(`/alone/corbel-${process.pid}`), undefined);
});

test('where it may not, nothing changes, and the reason is told', () => {
  const without = new FakeCgroups(pid);
  without.procText = '3:cpu:/\n1:name=systemd:/\n';
  assert.match(refusal(without), /no cgroups of version 2/);

  const foreign = new FakeCgroups(pid);
  foreign.add('/session.scope', { processes: [pid] });
  assert.match(refusal(foreign), /not delegated/);

  const crowded = new FakeCgroups(pid);
  crowded.add('/session.scope', { processes: [1, pid], writable: true });
  assert.match(refusal(crowded), /other processes/);

  const managed = new FakeCgroups(pid);
  managed.add('/app.slice', { children: ['cpu'], writable: true });
  managed.add('/app.slice/terminal.scope', { processes: [1, pid], writable: true });
  assert.match(refusal(managed), /other processes/);

  const uncontrolled = new FakeCgroups(pid);
  uncontrolled.add('/a', { children: ['memory'], writable: true });
  uncontrolled.add('/a/b', { processes: [pid], writable: true });
  assert.match(refusal(uncontrolled), /no cpu controller/);
});

test('a kernel that refuses in the middle finds everything put back', () => {
  const cgroups = new FakeCgroups(pid);
  cgroups.add('/alone', { processes: [pid], writable: true });
  const write = cgroups.write.bind(cgroups);
  cgroups.write = (path, text) => {
    if (path.endsWith('cpu.max')) throw new Error('EINVAL: no');
    write(path, text);
  };
  assert.match(refusal(cgroups), /corbel-4242 cannot be used \(EINVAL: no\)/);
  assert.deepEqual([...(cgroups.group('/alone')?.children ?? ['?'])], []);
});
