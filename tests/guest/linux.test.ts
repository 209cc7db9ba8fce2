/** What the first page of the README promises, with the distribution's unmodified kernel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProgram } from '../../src/cli/testing/corbel-process.ts';
import { startLinux, startLinuxOnTerminal } from './linux-process.ts';

const options = { timeout: 180_000 };

test('npm start -- --exec: the output of the command alone, errors apart, its status', options, async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const command = 'uname -sm; grep -c ^processor /proc/cpuinfo; echo wrong >&2; exit 5';
  const npm = ['npm', '--prefix', root, 'start', '--', '--exec', command];
  // What npm told the tests' own process is not for another one.
  const bare = [
    'env',
    ...Object.keys(process.env)
      .filter((name) => name.startsWith('npm_'))
      .flatMap((name) => ['-u', name]),
  ];
  const ended = await startProgram([...bare, ...npm], new Uint8Array(0)).ended;
  assert.match(ended.stderr, /(^|\n)wrong\n$/);
  assert.equal(ended.stdout.toString(), 'Linux x86_64\n1\n');
  assert.equal(ended.status, 5);
});

test('lines on standard input go to the shell, and at their end the guest powers off', options, async () => {
  const ended = await startLinux([], Buffer.from('echo sum-$((40+2))\n')).ended;
  assert.match(ended.stdout.toString(), /\nsum-42\n/);
  assert.match(ended.stdout.toString(), /Power down/);
  assert.deepEqual([ended.status, ended.stderr], [0, '']);
});

test('on a terminal: a shell with line editing, Ctrl-C to the guest, poweroff', options, async () => {
  const terminal = startLinuxOnTerminal([]);
  await terminal.type('', /Ctrl-\]/);
  await terminal.type('echo wrong\x7f\x7f\x7f\x7f\x7fright-$((2+3))\r', /\nright-5\r\n/);
  await terminal.type('stty size\r', /\n40 100\r\n/);
  await terminal.type("sh -c 'echo go; exec sleep 1000'\r", /\ngo\r\n/);
  await terminal.type('\x03', /# /);
  await terminal.type('echo status-$?\r', /status-130/);
  await terminal.type('poweroff\r', /Power down/);
  assert.equal(await terminal.status, 0);
});
