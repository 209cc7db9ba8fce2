import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCpus } from './cpu-options.ts';

function topology(text: string): readonly number[] {
  const parsed = parseCpus(text);
  assert.ok(parsed.ok, text);
  return [parsed.value.sockets, parsed.value.cores, parsed.value.threads];
}

function refused(text: string): string {
  const parsed = parseCpus(text);
  assert.ok(!parsed.ok, text);
  assert.equal(parsed.error.kind, 'usage');
  return parsed.error.message;
}

test('a number alone is that many cores of one socket', () => {
  assert.deepEqual(topology('1'), [1, 1, 1]);
  assert.deepEqual(topology('7'), [1, 7, 1]);
  assert.deepEqual(topology('16'), [1, 16, 1]);
});

test('what is missing is worked out as by -smp of QEMU: cores, then sockets, then threads', () => {
  assert.deepEqual(topology('8,sockets=2'), [2, 4, 1]);
  assert.deepEqual(topology('8,threads=2'), [1, 4, 2]);
  assert.deepEqual(topology('8,cores=2'), [4, 2, 1]);
  assert.deepEqual(topology('8,cores=2,threads=2'), [2, 2, 2]);
  assert.deepEqual(topology('8,threads=2,sockets=4'), [4, 1, 2]);
  assert.deepEqual(topology('8,sockets=2,cores=2'), [2, 2, 2]);
  assert.deepEqual(topology('12,sockets=2,cores=3,threads=2'), [2, 3, 2]);
});

test('numbers that contradict each other are named', () => {
  assert.match(refused('8,sockets=3'), /sockets=3 does not divide 8\.$/);
  assert.match(refused('4,cores=8'), /cores=8 does not divide 4\.$/);
  assert.match(refused('8,sockets=3,cores=2'), /sockets=3, cores=2 do not divide 8\.$/);
  assert.match(refused('8,sockets=2,cores=2,threads=1'), /sockets=2, cores=2, threads=1 make 4\.$/);
  assert.match(refused('2,sockets=16,cores=16,threads=16'), /make 4096\.$/);
});

test('anything else is refused with what would do', () => {
  for (const text of ['', '0', '17', '-1', '1.5', 'two', '999999999999', '0x2', ' 2', '2 ', '1e1', ',cores=2']) {
    assert.match(refused(text), /from 1 to 16/, text);
  }
  assert.match(refused('cores=2'), /number of processors from 1 to 16, not "cores=2"/);
  for (const text of ['2,', '2,dies=1', '2,cores', '2,maxcpus=4', '2,,cores=2', '2,Cores=2']) {
    assert.match(refused(text), /sockets=, cores= and threads=|cores= with a number/, text);
  }
  for (const value of ['', '0', '-2', '17', 'a', '2=2']) {
    assert.match(refused(`2,cores=${value}`), /cores= with a number from 1 to 16/, value);
  }
  assert.match(refused('2,cores=2,cores=2'), /cores= twice/);
  assert.match(refused(`2${',threads=1'.repeat(10_000)}`), /threads= twice/);
});
