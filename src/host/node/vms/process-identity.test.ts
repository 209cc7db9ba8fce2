import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { identifyProcess, isAlive, signalProcess } from './process-identity.ts';

test('a process is itself until it ends', async (t) => {
  const child = spawn('sleep', ['1000']);
  t.after(() => child.kill('SIGKILL'));
  const identity = identifyProcess(child.pid as number);
  assert.ok(identity !== undefined && isAlive(identity));
  signalProcess(identity, 'SIGKILL');
  await once(child, 'exit');
  assert.equal(isAlive(identity), false);
});

test('another process with the same number is not taken for it, nor signalled', async (t) => {
  const child = spawn('sleep', ['1000']);
  t.after(() => child.kill('SIGKILL'));
  const identity = identifyProcess(child.pid as number);
  assert.ok(identity !== undefined);
  const earlier = { ...identity, started: `${identity.started}0` };
  assert.equal(isAlive(earlier), false);
  signalProcess(earlier, 'SIGKILL');
  assert.equal(isAlive(identity), true);
});

test('one that has ended and is not waited for does not live', { skip: process.platform !== 'linux' }, async (t) => {
  // The shell becomes a program that does not wait for the child it got, which ends with descriptor 3.
  const script = 'cat <&3 >/dev/null & echo $!; exec sleep 1000';
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  t.after(() => parent.kill('SIGKILL'));
  const [line] = (await once(parent.stdio[1] as Readable, 'data')) as [Buffer];
  const pid = Number(line.toString());
  const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
  while (readFileSync(`/proc/${parent.pid}/comm`, 'utf8') !== 'sleep\n') await look();
  assert.equal(identifyProcess(pid)?.pid, pid);
  (parent.stdio[3] as Writable).end();
  while (identifyProcess(pid) !== undefined) await look();
  // Still there for the system.
  assert.doesNotThrow(() => process.kill(pid, 0));
});

test('there is no process with an absurd number', () => {
  for (const pid of [2 ** 31, Number.MAX_SAFE_INTEGER]) assert.equal(identifyProcess(pid), undefined);
});
