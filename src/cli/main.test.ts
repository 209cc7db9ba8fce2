import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { useVmHome } from '../host/node/vms/testing/vm-home.ts';
import { corbel } from './testing/corbel-process.ts';

useVmHome();
const folder = mkdtempSync(join(tmpdir(), 'corbel-main-'));
after(() => rmSync(folder, { recursive: true }));

test('help goes to standard output, and says how the commands are called', async () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const ended = await corbel(args);
    assert.equal(ended.status, 0);
    assert.match(ended.stdout.toString(), /Usage: corbel COMMAND/);
  }
  const run = await corbel(['run', '--help']);
  assert.equal(run.status, 0);
  for (const word of ['--kernel FILE', '--exec CMD', 'Exit status', 'Ctrl-]']) {
    assert.ok(run.stdout.toString().includes(word), word);
  }
  assert.ok(
    run.stdout
      .toString()
      .split('\n')
      .every((line) => line.length <= 80),
  );
});

test('each command has a help that fits the screen', async () => {
  for (const command of ['run', 'ps', 'console', 'logs', 'pause', 'resume', 'balloon', 'stop', 'rm']) {
    const ended = await corbel([command, '--help']);
    const lines = ended.stdout.toString().split('\n');
    assert.deepEqual([ended.status, ended.stderr], [0, '']);
    assert.match(lines[0] ?? '', new RegExp(`^Usage: corbel ${command} `));
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
  }
});

test('the version, also for programs', async () => {
  assert.match((await corbel(['--version'])).stdout.toString(), /^corbel \d+\.\d+\.\d+\n$/);
  const facts = JSON.parse((await corbel(['--version', '--json'])).stdout.toString());
  assert.equal(facts.name, 'corbel');
});

test('bad input is one sentence and a status, never a stack', async () => {
  const empty = join(folder, 'empty');
  const big = join(folder, 'big');
  writeFileSync(empty, '');
  writeFileSync(big, Buffer.alloc(3 << 20));
  mkdirSync(join(folder, 'directory'));
  const cases: [string[], number, RegExp][] = [
    [['fly'], 64, /no command fly/],
    [['--fly'], 64, /no option --fly/],
    [['host'], 64, /corbel host check/],
    [['host', 'fly'], 64, /no command host fly/],
    [['host', 'check', 'x'], 64, /no argument "x"/],
    [['run', '--memory', 'much'], 64, /512M/],
    [['run', '--name', '../up'], 64, /cannot be a virtual machine's name/],
    [['stop'], 64, /needs a name/],
    [['stop', '--timeout', 'soon', 'x'], 64, /number of seconds/],
    [['rm', '--fly', 'x'], 64, /no option --fly/],
    [['console', 'x', 'y'], 64, /no argument "y"/],
    [['ps', 'x'], 64, /no argument "x"/],
    [['logs', 'nobody'], 65, /no virtual machine nobody/],
    [['console', '..'], 64, /cannot be a virtual machine's name/],
    [['run', '--kernel', join(folder, 'none')], 65, /there is no such file/],
    [['run', '--kernel', join(folder, 'directory')], 65, /not a regular file/],
    [['run', '--kernel', '/dev/zero'], 65, /not a regular file/],
    [['run', '--kernel', empty], 65, /is empty/],
    [['run', '--kernel', big, '--initrd', big, '--memory', '2M'], 65, /larger than the guest's memory/],
    [['run', '--kernel', big, '--module', join(folder, 'none')], 65, /the module .* no such file/],
    [['run', '--kernel', 'x'.repeat(5000)], 65, /its name is too long/],
  ];
  for (const [args, status, message] of cases) {
    const ended = await corbel(args);
    assert.equal(ended.status, status, args.join(' '));
    assert.match(ended.stderr, message);
    assert.match(ended.stderr, /^corbel: [^\n]+\n$/);
    assert.equal(ended.stdout.length, 0);
  }
});

test('host check gives every fact a state and a reason', async () => {
  const ended = await corbel(['host', 'check', '--json']);
  assert.deepEqual([ended.status, ended.stderr], [0, '']);
  const { facts } = JSON.parse(ended.stdout.toString()) as { facts: { id: string; state: string; reason: string }[] };
  const ids = facts.map((entry) => entry.id);
  for (const id of ['kvm', 'processor', 'nested', 'iommu', 'sriov', 'sev', 'tdx', 'memory'])
    assert.ok(ids.includes(id), id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { state, reason } of facts) {
    assert.ok(['yes', 'no', 'unknown'].includes(state));
    assert.notEqual(reason, '');
  }
  // The pinned Node has what the translator needs.
  const needed = facts.filter(({ id }) => id.startsWith('wasm-'));
  assert.ok(needed.length >= 6 && needed.every(({ state }) => state === 'yes'));
  assert.equal((await corbel(['host', 'check'])).stdout.toString().trimEnd().split('\n').length, facts.length);
});
