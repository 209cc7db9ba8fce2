/**
 * `corbel run debian --exec` where the guest has no agent, or goes away. The machine is a fake one, the image has what
 * it looks at; tests/debian has a real one.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { corbel, corbelCommand, type Ended, startProgram } from './testing/corbel-process.ts';

const home = mkdtempSync(join(tmpdir(), 'corbel-debian-exec-'));
const temporary = join(home, 'tmp');
const stem = join(home, 'corbel/images/debian-bookworm-20260101T000000');
after(() => rmSync(home, { recursive: true }));

before(async () => {
  mkdirSync(join(home, 'corbel/images'), { recursive: true });
  mkdirSync(temporary);
  const made = await corbel(['image', 'create', '-f', 'qcow2', `${stem}.qcow2`, '1M']);
  assert.equal(made.status, 0, made.stderr);
  for (const part of ['vmlinuz', 'initrd']) writeFileSync(`${stem}.${part}`, part);
});

/** @param verb what the fake machine does */
function exec(verb: string, ...options: string[]): Promise<Ended> {
  writeFileSync(`${stem}.json`, JSON.stringify({ commandLine: `root=x ${verb}`, sizeBytes: 2 ** 20 }));
  const environment = [`XDG_CACHE_HOME=${home}`, `TMPDIR=${temporary}`];
  const words = ['env', ...environment, ...corbelCommand, 'run', 'debian', '--exec', 'true', ...options];
  return startProgram(words, new Uint8Array(0)).ended;
}

const patience = { timeout: 120_000 };

test('without an agent it is said so, and the guest is asked to power off', patience, async () => {
  const { status, stdout, stderr } = await exec('polite', '--exec-timeout', '0.3');
  assert.deepEqual([status, stdout.toString()], [65, '']);
  assert.match(stderr, /^corbel: no agent answered in the guest within 0\.3 s: its image has none, or .*\n/);
  assert.match(stderr, /\ncorbel: the last lines of the console:\n {2}ready> \n$/);
  assert.deepEqual(readdirSync(temporary), [], 'the socket to the guest is gone');
});

test('a guest that ignores the button is at the mercy of --timeout', patience, async () => {
  const { status, stderr } = await exec('echo', '--exec-timeout', '0.1', '--timeout', '1.5');
  assert.deepEqual([status, stderr], [124, 'corbel: the time given with --timeout has passed.\n']);
});

test('a guest that goes before the command has ended is told from one that ran it', patience, async () => {
  const off = await exec('noise');
  assert.equal(off.status, 75);
  assert.match(off.stderr, /^corbel: the guest powered off before the command had ended; .*\n {2}last words\n$/);
  const reset = await exec('reset');
  assert.deepEqual(
    [reset.status, reset.stderr],
    [75, 'corbel: the guest reset itself, as a kernel does after a panic.\n'],
  );
});

test('--exec-timeout is for a command in a guest with an agent, and a time', async () => {
  for (const [args, message] of [
    [['--exec-timeout', '5'], /--exec-timeout is for a command in the debian guest/],
    [['--exec', 'true', '--exec-timeout', '5'], /--exec-timeout is for a command in the debian guest/],
    [['debian', '--exec-timeout', '5'], /--exec-timeout is for a command in the debian guest/],
    [['debian', '--exec', 'true', '--exec-timeout', '0'], /--exec-timeout takes a number of seconds/],
    [['debian', '--exec', 'true', '--exec-timeout', 'long'], /--exec-timeout takes a number of seconds/],
  ] as const) {
    const { status, stderr } = await corbel(['run', ...args]);
    assert.equal(status, 64, args.join(' '));
    assert.match(stderr, message);
  }
});
