import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webAssembly } from '../wasm/webassembly.ts';
import { GuestMemory, maxLowRam, pageFlag } from './guest-memory.ts';

const mebibyte = 1 << 20;

function ram(bytes: number): GuestMemory {
  const pages = bytes >>> 16;
  return new GuestMemory(new webAssembly.Memory({ initial: pages, maximum: pages, shared: true }), bytes);
}

test('values are little-endian and keep their width', () => {
  const memory = ram(mebibyte);
  memory.writeU64(0x1000, 0x1122_3344_5566_7788n);
  assert.equal(memory.readU8(0x1000), 0x88);
  assert.equal(memory.readU16(0x1001), 0x6677);
  assert.equal(memory.readU32(0x1004), 0x1122_3344);
  assert.equal(memory.readU64(0x1000), 0x1122_3344_5566_7788n);
});

test('reads beyond RAM float high and writes there are dropped, across the end as well', () => {
  const memory = ram(mebibyte);
  memory.writeU32(mebibyte - 2, 0);
  memory.writeU32(2 ** 52, 1);
  assert.equal(memory.readU32(mebibyte - 2), 0xffff_ffff);
  assert.equal(memory.readU16(mebibyte - 2), 0);
  assert.equal(memory.readU64(2 ** 40), 0xffff_ffff_ffff_ffffn);
  assert.throws(() => memory.write(mebibyte - 1, new Uint8Array(2)), RangeError);
  assert.throws(() => memory.read(-1, 1), RangeError);
});

test('RAM beyond 3 GiB appears above 4 GiB', () => {
  const memory = ram(maxLowRam + mebibyte);
  assert.equal(memory.ramOffset(maxLowRam - 1), maxLowRam - 1);
  assert.equal(memory.ramOffset(maxLowRam), -1);
  assert.equal(memory.ramOffset(2 ** 32), maxLowRam);
  assert.equal(memory.ramOffset(2 ** 32 + mebibyte), -1);
  assert.equal(memory.isRam(maxLowRam - 1, 2), false);
  memory.writeU8(2 ** 32 + 5, 7);
  assert.equal(memory.bytes[maxLowRam + 5], 7);
});

test('a write to a page with code is announced, on both sides of a page boundary', () => {
  const memory = ram(mebibyte);
  const seen: [number, number][] = [];
  memory.onCodeWrite((offset, length) => seen.push([offset, length]));
  memory.users.claimCode(2);
  memory.writeU8(0x1fff, 1);
  assert.deepEqual(seen, []);
  memory.write(0x1ffe, new Uint8Array(4));
  assert.deepEqual(seen, [[0x1ffe, 4]]);
  assert.equal((memory.pageFlags[1] as number) & pageFlag.dirty, pageFlag.dirty);
});
