/** The host's exchange of 16 bytes, alone and beside other threads that write to the same bytes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { wideOperands } from '../../cpu/emit/wide-exchange.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import { loadWideExchange } from './wide-exchange.ts';

const memory = (pages: number) => new webAssembly.Memory({ initial: pages, maximum: pages, shared: true });
const hasInstruction =
  process.platform === 'linux' && process.arch === 'x64' && readFileSync('/proc/cpuinfo', 'utf8').includes(' cx16');
const load = loadWideExchange();
const skip = load === undefined && !hasInstruction ? 'this host has no such instruction' : false;

function prepare() {
  assert.ok(load !== undefined);
  const [ram, own] = [memory(2), memory(1)];
  const words = new BigUint64Array(ram.buffer);
  const found = new BigUint64Array(own.buffer, wideOperands.expected, 2);
  const wanted = new BigUint64Array(own.buffer, wideOperands.replacement, 2);
  const exchange = load(ram, own);
  const attempt = (offset: number, expected: readonly bigint[], replacement: readonly bigint[]): number => {
    found.set(expected);
    wanted.set(replacement);
    return exchange(offset);
  };
  return { ram, words, found, attempt };
}

test('a host whose processor has the instruction can be asked for it', { skip }, () => {
  assert.ok(load !== undefined);
});

test('16 bytes are exchanged if both halves are as expected, and shown if not', { skip }, () => {
  const { words, found, attempt } = prepare();
  const last = 2 * 65536 - 16;
  const [low, high] = [last / 8, last / 8 + 1];
  words.set([5n, 2n ** 64n - 1n], low);
  assert.equal(attempt(last, [5n, 2n ** 64n - 1n], [7n, 8n]), 1);
  assert.deepEqual([words[low], words[high]], [7n, 8n]);
  for (const wrong of [
    [7n, 9n],
    [6n, 8n],
  ]) {
    assert.equal(attempt(last, wrong, [1n, 2n]), 0);
    assert.deepEqual([words[low], words[high], found[0], found[1]], [7n, 8n, 7n, 8n]);
  }
});

test('no write of another thread gets lost between comparison and exchange', { skip }, async () => {
  const { ram, words, found, attempt } = prepare();
  const rounds = 200_000;
  // Another thread counts in the low half, this one in the high half while it copies the low one.
  const code = `const { workerData: buffer } = require('node:worker_threads');
    const low = new BigUint64Array(buffer, 64, 1);
    for (let n = 0; n < ${rounds}; n++) Atomics.add(low, 0, 1n);`;
  const other = new Worker(code, { eval: true, workerData: ram.buffer });
  const ended = new Promise((resolve) => other.once('exit', resolve));
  let seen = [words[8] as bigint, words[9] as bigint] as const;
  let successes = 0n;
  for (let tries = 0; Atomics.load(words, 8) < BigInt(rounds); tries++) {
    if (attempt(64, seen, [seen[0], seen[1] + 1n]) === 1) {
      successes++;
      seen = [seen[0], seen[1] + 1n];
    } else seen = [found[0] as bigint, found[1] as bigint];
    if (tries % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await ended, 0);
  assert.ok(successes > 0n);
  assert.deepEqual([words[8], words[9]], [BigInt(rounds), successes]);
});
