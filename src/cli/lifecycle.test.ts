/** Virtual machines that are left running, as a user sees them. The machine is a fake one; see its file for its verbs. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { prompt } from '../host/node/testing/fake-machine.ts';
import { consoleLogFile } from '../host/node/vms/console-log.ts';
import { identifyProcess } from '../host/node/vms/process-identity.ts';
import { findVm, messagesFile, type VmEntry, type VmState } from '../host/node/vms/registry.ts';
import { useVmHome } from '../host/node/vms/testing/vm-home.ts';
import { vmsFolder } from '../host/node/vms/vm-folders.ts';
import { corbel, corbelCommand, type Ended, startCorbel, startProgram } from './testing/corbel-process.ts';
import { screenOf } from './testing/screen.ts';

const home = useVmHome();
const kernel = join(home, 'kernel');
before(() => writeFileSync(kernel, 'a kernel'));

/** Ends a test that waits in vain. */
const patience = { timeout: 120_000 };
const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

const detach = (verb: string, ...more: string[]): Promise<Ended> =>
  corbel(['run', '--detach', '--kernel', kernel, '--append', verb, ...more]);

/** Runs a command that has to succeed. @returns what it prints */
async function said(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await corbel(args);
  assert.deepEqual([status, stderr], [0, ''], args.join(' '));
  return stdout.toString();
}

/** As `ps --all` lists it. */
async function listed(
  name: string,
): Promise<{ readonly state: string; readonly [field: string]: unknown } | undefined> {
  const all = JSON.parse(await said('ps', '--all', '--json')) as { name: string; state: string }[];
  return all.find((vm) => vm.name === name);
}

/** As it is written down. */
function entryOf(name: string): VmEntry {
  const vm = findVm(name);
  assert.ok(vm.ok, vm.ok ? '' : vm.error.message);
  return vm.value;
}

const pidOf = (name: string): number => entryOf(name).process?.pid ?? assert.fail(`${name} has no process`);

async function becomes(name: string, state: VmState): Promise<VmEntry> {
  for (;;) {
    const vm = findVm(name);
    if (vm.ok && vm.value.state === state) return vm.value;
    await look();
  }
}

async function consoleShows(name: string, text: string): Promise<void> {
  while (!readFileSync(consoleLogFile(entryOf(name).stateFolder), 'utf8').includes(text)) await look();
}

test('left running, listed, stopped by its power button, removed', patience, async () => {
  const started = await detach('polite', '--name', 'web', '--memory', '64M');
  assert.deepEqual([started.status, started.stdout.toString(), started.stderr], [0, 'web\n', '']);
  assert.match(await said('ps'), /^NAME +STATE +PID +AGE +MEMORY +BOOTS\nweb +running +\d+ +\d+s +64M +kernel\n$/);
  const { pid, state, memoryBytes, outcome } = (await listed('web')) ?? assert.fail();
  assert.deepEqual([pid, state, memoryBytes, outcome], [pidOf('web'), 'running', 64 << 20, null]);
  assert.equal(await said('stop', 'web', '--timeout', '60'), 'web\n');
  assert.equal(await said('ps'), 'NAME  STATE  PID  AGE  MEMORY  BOOTS\n');
  assert.match(await said('ps', '--all'), /\nweb +ended +- +\d+s +64M +kernel +the guest powered off\n$/);
  const ended = (await listed('web')) ?? assert.fail();
  assert.deepEqual([ended.state, ended.pid], ['ended', null]);
  assert.partialDeepStrictEqual(ended.outcome, { kind: 'power-off', status: 0 });
  assert.equal(await said('stop', 'web'), 'web\n', 'it is stopped already');
  assert.equal(await said('rm', 'web'), 'web\n');
  assert.equal(await listed('web'), undefined);
});

test(
  'it has a session of its own, no terminal, its streams in a file, and SIGHUP is nothing to it',
  patience,
  async () => {
    await detach('echo', '--name', 'alone');
    const pid = pidOf('alone');
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const [, , , session, terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      assert.deepEqual([Number(session), terminal], [pid, '0']);
      const messages = messagesFile(entryOf('alone').stateFolder);
      for (const stream of [1, 2]) assert.equal(statSync(`/proc/${pid}/fd/${stream}`).ino, statSync(messages).ino);
    }
    process.kill(pid, 'SIGHUP');
    assert.equal(await said('pause', 'alone'), 'alone\n', 'it still answers');
    await said('rm', '--force', 'alone');
  },
);

test('what is wrong is said on the terminal with its status, and leaves nothing', patience, async () => {
  const cases: [string[], number, RegExp][] = [
    [['--name', '../x', '--append', 'echo'], 64, /cannot be a virtual machine's name/],
    [['--name', 'bad', '--append', 'refuse'], 65, /^corbel: the kernel is not one\.\n$/],
    [['--name', 'bad', '--initrd', join(home, 'none')], 65, /no such file/],
  ];
  for (const [args, status, message] of cases) {
    const ended = await corbel(['run', '--detach', '--kernel', kernel, ...args]);
    assert.deepEqual([ended.status, ended.stdout.length], [status, 0], args.join(' '));
    assert.match(ended.stderr, message);
  }
  assert.deepEqual(
    readdirSync(vmsFolder()).filter((name) => !name.startsWith('.lock')),
    [],
  );
});

test('the end of a guest is kept with its status, and what was said about it', patience, async () => {
  const cases: [string, string[], string, number, RegExp][] = [
    ['die', [], 'guest-died', 75, /^corbel: the guest died: triple fault\.\nrip=dead\n/],
    ['noise', [], 'power-off', 0, /^$/],
    ['sleep', ['--timeout', '0.2'], 'timed-out', 124, /--timeout/],
    ['nonsense', [], 'crashed', 70, /a defect in corbel/],
  ];
  for (const [verb, more, kind, status, message] of cases) {
    const started = await detach(verb, '--name', verb, ...more);
    assert.equal(started.status, 0, started.stderr);
    const { outcome } = await becomes(verb, 'ended');
    assert.partialDeepStrictEqual(outcome, { kind, status });
    const logs = await corbel(['logs', verb]);
    assert.match(logs.stderr, message);
    if (verb === 'noise') assert.equal(logs.stdout.toString(), 'last words\n');
  }
});

test('without a name it gets one, and several run beside each other', patience, async () => {
  const started = await Promise.all([detach('echo'), detach('echo')]);
  const names = started.map(({ stdout }) => stdout.toString().trim());
  assert.equal(new Set(names).size, 2);
  for (const name of names) assert.match(name, /^[a-z]+-[a-z]+/);
  const removed = await said('rm', '--force', ...names);
  assert.deepEqual(removed.trim().split('\n').sort(), names.sort());
});

test('of two that want a name at the same time one gets it', patience, async () => {
  for (let round = 0; round < 2; round++) {
    const both = await Promise.all([detach('echo', '--name', 'one'), detach('echo', '--name', 'one')]);
    assert.deepEqual(both.map(({ status }) => status).sort(), [0, 65]);
    const refused = both.find(({ status }) => status === 65);
    assert.match(refused?.stderr ?? '', /^corbel: there is a virtual machine one already \(process \d+ runs it\)/);
    // The second round starts one that there was, and that has crashed.
    process.kill(pidOf('one'), 'SIGKILL');
    await becomes('one', 'crashed');
  }
});

test('what one may have of the processors is listed with what it has had', patience, async () => {
  await detach('echo', '--name', 'modest', '--cpu-shares', '512', '--cpu-limit', '150%');
  const cpu = (await listed('modest'))?.cpu;
  assert.partialDeepStrictEqual(cpu, { shares: 512, limit: 1.5, reserve: 0 });
  assert.ok((cpu as { usedSeconds: number }).usedSeconds > 0);
  // What killed ones have left goes when the next one finds it out of date.
  const pid = pidOf('modest');
  const records = (): string[] =>
    readdirSync(join(home, 'run/corbel/.shares')).filter((key) => key.startsWith(`${pid}-`));
  assert.equal(records().length, 1);
  await said('stop', '--force', 'modest');
  assert.partialDeepStrictEqual(await listed('modest'), { state: 'ended', cpu: null });
  assert.deepEqual(records(), []);
  assert.equal(await said('rm', 'modest'), 'modest\n');
});

test('one whose process was killed is listed as crashed; its sockets are gone', patience, async () => {
  await detach('echo', '--name', 'victim');
  const sockets = join(home, 'run/corbel/victim');
  assert.ok(existsSync(join(sockets, 'console.sock')));
  process.kill(pidOf('victim'), 'SIGKILL');
  await becomes('victim', 'crashed');
  assert.partialDeepStrictEqual(await listed('victim'), { state: 'crashed', pid: null, outcome: null });
  assert.equal(existsSync(sockets), false);
  const attached = await corbel(['console', 'victim']);
  assert.equal(attached.status, 65);
  assert.match(attached.stderr, /^corbel: victim does not run; "corbel logs victim" shows .*\n$/);
  assert.equal(await said('rm', 'victim'), 'victim\n');
});

test('a guest that ignores its power button is ended by force, as is one that hangs', patience, async () => {
  for (const [verb, args] of [
    ['echo', ['--timeout', '0.2']],
    ['spin', ['--timeout', '0.2']],
    ['spin', ['--force']],
  ] as const) {
    await detach(verb, '--name', 'stubborn');
    const { status, stdout, stderr } = await corbel(['stop', ...args, 'stubborn']);
    assert.deepEqual([status, stdout.toString()], [0, 'stubborn\n']);
    assert.match(stderr, args.length > 1 ? /^corbel: stubborn had not powered off after 0\.2 s/ : /^$/);
    assert.partialDeepStrictEqual(entryOf('stubborn').outcome, { kind: 'stopped', status: 137 });
  }
});

test('a process that does not answer is listed so, and killed', patience, async () => {
  await detach('echo', '--name', 'frozen');
  const pid = pidOf('frozen');
  process.kill(pid, 'SIGSTOP');
  assert.equal((await listed('frozen'))?.state, 'unresponsive');
  const refused = await corbel(['rm', 'frozen']);
  assert.deepEqual([refused.status, refused.stderr], [65, 'corbel: frozen runs; stop it first, or give --force.\n']);
  assert.equal(await said('rm', '--force', 'frozen'), 'frozen\n');
  assert.equal(identifyProcess(pid), undefined);
});

test('of several names each is tried, and the status tells of a failure', patience, async () => {
  await detach('polite', '--name', 'there');
  const ended = await corbel(['stop', 'missing', 'there']);
  assert.deepEqual([ended.status, ended.stdout.toString()], [65, 'there\n']);
  assert.match(ended.stderr, /no virtual machine missing/);
});

test('a paused one stands still, is listed so, and goes on; stop lets it power off', patience, async () => {
  await detach('polite', '--name', 'calm');
  const viewer = startCorbel(['console', 'calm'], 'open');
  for (let i = 0; i < 2; i++) assert.equal(await said('pause', 'calm'), 'calm\n');
  assert.equal((await listed('calm'))?.state, 'paused');
  viewer.child.stdin?.write('typed while paused');
  assert.doesNotMatch(await said('logs', 'calm'), /typed/);
  assert.equal(await said('resume', 'calm'), 'calm\n');
  await consoleShows('calm', 'typed while paused');
  assert.equal((await listed('calm'))?.state, 'running');
  await said('pause', 'calm');
  await said('stop', '--timeout', '60', 'calm');
  assert.equal(entryOf('calm').outcome?.kind, 'power-off');
  assert.equal((await viewer.ended).status, 0);
  const over = await corbel(['pause', 'calm']);
  assert.deepEqual([over.status, over.stderr], [65, 'corbel: calm does not run.\n']);
});

test('a balloon is looked at and changed while it runs', patience, async () => {
  await detach('echo', '--name', 'round', '--memory', '64M', '--balloon', '48M');
  const facts = { memoryBytes: 64 << 20, targetBytes: 48 << 20, actualBytes: 64 << 20 };
  const told = async (...args: string[]) => JSON.parse(await said('balloon', '--json', 'round', ...args));
  assert.deepEqual(await told(), { ...facts, releasedBytes: 0, statistics: {} });
  assert.match(await said('balloon', 'round'), /^memory +64M\ntarget +48M\nnow +64M\ngiven back so far +0K\n$/);
  assert.partialDeepStrictEqual(await told('32M'), { ...facts, targetBytes: 32 << 20 });
  assert.partialDeepStrictEqual(await told('64M'), { ...facts, targetBytes: 64 << 20 });
  await said('pause', 'round');
  assert.match(await said('balloon', 'round', '40.5M'), /\ntarget +40\.5M\n/);
  for (const [size, message] of [
    ['65M', /^corbel: round: that is more than the guest's memory\.\n$/],
    ['48', /^corbel: SIZE takes a number with a unit, .* did you mean 48M\?\n$/],
    ['0M', /^corbel: SIZE 0M is too little for any guest\.\n$/],
    ['-1M', /^corbel: SIZE takes a number with a unit/],
    ['all', /^corbel: SIZE takes a number with a unit/],
  ] as const) {
    const { status, stdout, stderr } = await corbel(['balloon', 'round', size]);
    assert.deepEqual([status, stdout.toString()], [64, ''], size);
    assert.match(stderr, message);
  }
  assert.partialDeepStrictEqual(await told(), { targetBytes: 40.5 * 2 ** 20 }, 'what is refused changes nothing');
  await said('rm', '--force', 'round');
});

test('a balloon that is not there', patience, async () => {
  await detach('echo', '--name', 'flat');
  for (const args of [[], ['32M']]) {
    const { status, stderr } = await corbel(['balloon', 'flat', ...args]);
    assert.deepEqual(
      [status, stderr],
      [65, 'corbel: flat: it has no balloon; "corbel run --balloon SIZE" gives it one.\n'],
    );
  }
  await said('stop', '--force', 'flat');
  for (const [name, message] of [
    ['flat', /flat does not run/],
    ['nobody', /no virtual machine nobody/],
  ] as const) {
    const { status, stderr } = await corbel(['balloon', name]);
    assert.equal(status, 65);
    assert.match(stderr, message);
  }
  assert.equal((await corbel(['balloon'])).status, 64);
  assert.equal((await corbel(['balloon', 'flat', '1G', '2G'])).status, 64);
});

test('with a name on this terminal it can be watched and ended from elsewhere', patience, async () => {
  const run = startCorbel(['run', '--name', 'front', '--kernel', kernel, '--append', 'prompt'], 'open');
  await becomes('front', 'running');
  await consoleShows('front', 'ready> ');
  const viewer = startCorbel(['console', 'front'], 'open');
  viewer.child.stdin?.write('from there ');
  await consoleShows('front', 'from there ');
  run.child.stdin?.write('from here');
  await consoleShows('front', 'from here');
  await said('stop', '--force', 'front');
  const ended = await run.ended;
  assert.deepEqual([ended.status, ended.stdout.toString()], [137, 'ready> from there from here']);
  const { status, stdout, stderr } = await viewer.ended;
  assert.deepEqual([status, stdout.toString()], [0, 'ready> from there from here']);
  assert.equal(stderr, 'corbel: front has ended: ended by force.\n');
});

test('a run with a name that is ended by a signal is no crash', patience, async () => {
  const run = startCorbel(['run', '--name', 'term', '--kernel', kernel, '--append', 'prompt'], 'open');
  run.child.stdout?.once('data', () => run.child.kill('SIGTERM'));
  assert.equal((await run.ended).status, 128 + 15);
  assert.equal(entryOf('term').outcome?.summary, 'ended by SIGTERM');
});

test('logs follow until the end', patience, async () => {
  await detach('polite', '--name', 'chatty');
  const followed = startCorbel(['logs', '--follow', 'chatty']);
  const viewer = startCorbel(['console', 'chatty'], 'open');
  viewer.child.stdin?.write('hello');
  await consoleShows('chatty', 'hello');
  await said('stop', 'chatty');
  const { status, stdout } = await followed.ended;
  assert.deepEqual([status, stdout.toString()], [0, 'ready> hello']);
  await viewer.ended;
});

test(
  'on a terminal keys go to the guest, Ctrl-] leaves it running, and the terminal is as before',
  patience,
  async () => {
    await detach('prompt', '--name', 'tty');
    const command = [...corbelCommand, 'console', 'tty'].map((word) => `'${word}'`).join(' ');
    const shell = `stty -a >'${home}/before'; ${command}; echo status $?; stty -a >'${home}/after'`;
    for (const key of ['a', '\x03']) {
      const { child, ended } = startProgram(['script', '-qec', shell, '/dev/null'], 'open');
      const shown = screenOf(child);
      await shown(prompt);
      child.stdin?.write(key);
      await shown(key);
      child.stdin?.write('\x1d');
      assert.match((await ended).stdout.toString(), /status 0/);
      assert.equal(readFileSync(`${home}/after`, 'utf8'), readFileSync(`${home}/before`, 'utf8'));
    }
    assert.equal(entryOf('tty').state, 'running');
    assert.equal(readFileSync(consoleLogFile(entryOf('tty').stateFolder), 'latin1'), `${prompt}a\x03`);
  },
);
