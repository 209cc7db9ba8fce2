import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { webAssembly } from '../../wasm/webassembly.ts';
import { openMemoryAdvice } from './memory-advice.ts';

const mebibyte = 1 << 20;
const residentBytes = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;

test('pages of a WebAssembly memory go back to the system and read as zeroes', {
  skip: process.platform !== 'linux',
}, () => {
  const memory = new webAssembly.Memory({ initial: 2048, maximum: 2048, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  const advice = openMemoryAdvice();
  assert.ok(advice);
  bytes.fill(7);
  const full = residentBytes();
  advice.release(memory.buffer, 16 * mebibyte, 96 * mebibyte);
  assert.ok(residentBytes() < full - 80 * mebibyte);
  assert.deepEqual(
    [16 * mebibyte - 1, 16 * mebibyte, 112 * mebibyte - 1, 112 * mebibyte].map((at) => bytes[at]),
    [7, 0, 0, 7],
  );
});

test('of a range, only whole pages go', { skip: process.platform !== 'linux' }, () => {
  const memory = new webAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  const bytes = new Uint8Array(memory.buffer).fill(7);
  const advice = openMemoryAdvice();
  assert.ok(advice);
  const [from, to] = [mebibyte + 100, 2 * mebibyte + 100];
  advice.releaseWithin(memory.buffer, from, to);
  assert.deepEqual(
    [from - 1, mebibyte + (1 << 16), 2 * mebibyte - 1, 2 * mebibyte, to].map((at) => bytes[at]),
    [7, 0, 0, 7, 7],
  );
  advice.releaseWithin(memory.buffer, 100, 200);
  advice.releaseWithin(memory.buffer, 200, 200);
  advice.releaseWithin(memory.buffer, 300, 200);
  assert.equal(bytes[150], 7);
  advice.trimHeap();
});

const largePages = '/sys/kernel/mm/transparent_hugepage/enabled';

test('a WebAssembly memory that is to have large pages gets them', {
  skip: !existsSync(largePages) || readFileSync(largePages, 'latin1').includes('[never]'),
}, () => {
  const largeKilobytes = (): number =>
    Number(/AnonHugePages:\s+(\d+)/.exec(readFileSync('/proc/self/smaps_rollup', 'latin1'))?.[1]);
  const memory = new webAssembly.Memory({ initial: 2048, maximum: 2048, shared: true });
  const advice = openMemoryAdvice();
  assert.ok(advice);
  const before = largeKilobytes();
  advice.preferLargePages(memory.buffer);
  new Uint8Array(memory.buffer).fill(7);
  // A host that is short of memory in one piece gives few; none means that it was not asked.
  assert.ok(largeKilobytes() > before);
});
