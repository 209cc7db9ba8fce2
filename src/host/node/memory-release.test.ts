import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { webAssembly } from '../../wasm/webassembly.ts';
import { memoryRelease } from './memory-release.ts';

const mebibyte = 1 << 20;
const residentBytes = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;

test('pages of a WebAssembly memory go back to the system and read as zeroes', {
  skip: process.platform !== 'linux',
}, () => {
  const memory = new webAssembly.Memory({ initial: 2048, maximum: 2048, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  const release = memoryRelease(memory.buffer);
  assert.ok(release);
  bytes.fill(7);
  const full = residentBytes();
  release(16 * mebibyte, 96 * mebibyte);
  assert.ok(residentBytes() < full - 80 * mebibyte);
  assert.deepEqual(
    [16 * mebibyte - 1, 16 * mebibyte, 112 * mebibyte - 1, 112 * mebibyte].map((at) => bytes[at]),
    [7, 0, 0, 7],
  );
});
