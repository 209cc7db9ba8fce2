/** `corbel run` as a process: streams, statuses, messages. The machine is a fake one; see its file for its verbs. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { prompt } from '../host/node/testing/fake-machine.ts';
import { corbel, corbelCommand, startCorbel, startProgram } from './testing/corbel-process.ts';
import { screenOf } from './testing/screen.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-run-'));
after(() => rmSync(folder, { recursive: true }));
const kernel = join(folder, 'kernel');
writeFileSync(kernel, 'a kernel');

/** Ends a test that waits in vain. */
const patience = { timeout: 120_000 };

function runArgs(verb: string, ...more: string[]): string[] {
  return ['run', '--kernel', kernel, '--append', verb, ...more];
}

test('a guest that powers off ends the process with 0, and nothing else is said', async () => {
  const ended = await corbel(runArgs('echo'), Buffer.from('hello\nq'));
  assert.deepEqual([ended.status, ended.stdout.toString(), ended.stderr], [0, 'hello\n', '']);
});

test('two megabytes of console reach a pipe whole, also when it is read late', async () => {
  const count = 2_000_000;
  const { child, ended } = startCorbel(runArgs(`flood ${count}`));
  child.stdout?.pause();
  setTimeout(() => child.stdout?.resume(), 300);
  const { status, stdout } = await ended;
  assert.equal(status, 0);
  assert.equal(stdout.length, count);
  for (let i = 0; i < count; i++)
    if (stdout[i] !== ((i % 1000) + 1000 * Math.floor(i / 1000)) % 256) assert.fail(`${i}`);
});

test('much input comes back complete and in order', async () => {
  const input = Buffer.from(`${'0123456789abcdef\n'.repeat(10_000)}q`);
  const { stdout } = await corbel(runArgs('echo'), input);
  assert.ok(stdout.equals(input.subarray(0, -1)));
});

test('the debug exit port gives its status, shifted as the device does it', async () => {
  const ended = await corbel(runArgs('debug-exit 16', '--debug-exit'));
  assert.equal(ended.status, 33);
});

test('a death has its report and 75', async () => {
  const died = await corbel(runArgs('die'));
  assert.equal(died.status, 75);
  assert.equal(died.stderr, 'corbel: the guest died: triple fault.\nrip=dead\n');
  const reset = await corbel(runArgs('reset'));
  assert.deepEqual([reset.status, reset.stderr.split('\n').length], [75, 2]);
});

test('a kernel that the machine refuses is bad input', async () => {
  const ended = await corbel(runArgs('refuse'));
  assert.deepEqual([ended.status, ended.stderr], [65, 'corbel: the kernel is not one.\n']);
});

test('a defect is 70 and says that it is one', async () => {
  const ended = await corbel(runArgs('nonsense'));
  assert.equal(ended.status, 70);
  assert.match(ended.stderr, /^corbel: the machine failed; this is a defect in corbel\.\n/);
});

test('--timeout ends a sleeping guest and one that never looks up, with 124', patience, async () => {
  for (const verb of ['sleep', 'spin']) {
    const ended = await corbel(runArgs(verb, '--timeout', '0.3'));
    assert.deepEqual([ended.status, ended.stderr], [124, 'corbel: the time given with --timeout has passed.\n']);
  }
});

test('a signal ends a run with 128 and its number', async () => {
  const { child, ended } = startCorbel(runArgs('echo'), 'open');
  child.stdin?.write('x');
  child.stdout?.once('data', () => child.kill('SIGTERM'));
  assert.equal((await ended).status, 128 + 15);
});

test('a reader that goes away ends the run quietly', async () => {
  const { child, ended } = startCorbel(runArgs('flood 100000000'));
  child.stdout?.once('data', () => child.stdout?.destroy());
  const { status, stderr } = await ended;
  assert.deepEqual([status, stderr], [141, '']);
});

test('--serial file and none keep the console off standard output', async () => {
  const log = join(folder, 'log');
  const filed = await corbel(runArgs('noise', '--serial', `file:${log}`));
  assert.deepEqual([filed.status, filed.stdout.length, readFileSync(log, 'utf8')], [0, 0, 'last words\n']);
  const none = await corbel(runArgs('noise', '--serial', 'none'));
  assert.deepEqual([none.status, none.stdout.length], [0, 0]);
  const unwritable = await corbel(runArgs('sleep', '--serial', `file:${folder}/no/log`));
  assert.equal(unwritable.status, 65);
  assert.match(unwritable.stderr, /^corbel: the output could not be written \(ENOENT.*\)\.\n$/);
});

test('a disk that cannot be opened, and a port that cannot be listened at, are bad input', async () => {
  const disk = await corbel(runArgs('noise', '--disk', join(folder, 'no-such-disk')));
  assert.equal(disk.status, 65);
  assert.match(disk.stderr, /^corbel: the disk .*no-such-disk cannot be opened: .*\.\n$/);
  const port = await corbel(runArgs('noise', '--port', `a=${folder}/no/socket`));
  assert.equal(port.status, 65);
  assert.match(port.stderr, /^corbel: there can be no socket at .*\.\n$/);
});

test('--stats prints counts on standard error, as JSON on request', async () => {
  const plain = await corbel(runArgs('noise', '--stats'));
  assert.equal(plain.stdout.toString(), 'last words\n');
  assert.match(plain.stderr, /^instructions {2,}1,234,567\n(\w+ {2,}[\d.,]+\n)+$/);
  const json = await corbel(runArgs('noise', '--stats', '--json', '--cpu-shares', '512', '--cpu-limit', '150%'));
  const statistics = JSON.parse(json.stderr) as Record<string, number>;
  const { processorSeconds, otherMachines, inOwnCgroup, ...rest } = statistics;
  assert.deepEqual(rest, { instructions: 1234567, cpuShares: 512, cpuLimit: 1.5 });
  assert.ok((processorSeconds as number) > 0 && Number.isInteger(otherMachines) && Number.isInteger(inOwnCgroup));
});

test('the machine gets what the options say', async () => {
  const initrd = join(folder, 'initrd');
  writeFileSync(initrd, 'x');
  const more = [
    '--initrd',
    initrd,
    '--module',
    `${initrd} a b`,
    '--memory',
    '1.5G',
    '--accel',
    'interpret',
    '--code-cache',
    '32M',
    '--cpus',
    '4,threads=2',
  ];
  const ended = await corbel(runArgs('config', ...more));
  assert.deepEqual(JSON.parse(ended.stdout.toString()), {
    memoryBytes: 1.5 * 2 ** 30,
    boot: ['kind', 'kernel', 'commandLine', 'modules', 'initrd'],
    // They lie in the guest's memory.
    bootBytes: 0,
    accel: 'interpret',
    codeCacheBytes: 32 * 2 ** 20,
    profile: false,
    countsTlbHits: false,
    cpuModel: 'max',
    topology: { sockets: 1, cores: 2, threads: 2 },
    debugExit: false,
  });
});

test('on a terminal keys go to the guest at once and Ctrl-] leaves; the terminal is as before', patience, async () => {
  const command = [...corbelCommand, ...runArgs('prompt')].map((word) => `'${word}'`).join(' ');
  const shell = `stty -a >'${folder}/before'; ${command}; echo status $?; stty -a >'${folder}/after'`;
  const { child, ended } = startProgram(['script', '-qec', shell, '/dev/null'], 'open');
  const shown = screenOf(child);
  await shown(prompt);
  for (const key of ['a', '\x03', '\x1a']) {
    child.stdin?.write(key);
    await shown(key);
  }
  child.stdin?.write('\x1dc');
  const { stdout } = await ended;
  assert.ok(stdout.toString().startsWith(`${prompt}a\x03\x1astatus 0`), JSON.stringify(stdout.toString()));
  assert.equal(readFileSync(`${folder}/after`, 'utf8'), readFileSync(`${folder}/before`, 'utf8'));
});

test('on a terminal a signal from outside gives the terminal back', patience, async () => {
  const command = [...corbelCommand, ...runArgs('prompt')].map((word) => `'${word}'`).join(' ');
  const shell =
    `stty -a >'${folder}/before'; sh -c 'echo $$ >"$0"; exec "$@"' '${folder}/pid' ${command}; ` +
    `echo status $?; stty -a >'${folder}/after'`;
  const { child, ended } = startProgram(['script', '-qec', shell, '/dev/null'], 'open');
  const shown = screenOf(child);
  await shown(prompt);
  child.stdin?.write('x');
  await shown('x');
  process.kill(Number(readFileSync(`${folder}/pid`, 'utf8')), 'SIGHUP');
  assert.match((await ended).stdout.toString(), /status 129/);
  assert.equal(readFileSync(`${folder}/after`, 'utf8'), readFileSync(`${folder}/before`, 'utf8'));
});
