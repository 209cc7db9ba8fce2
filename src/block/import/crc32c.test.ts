import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from './crc32c.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('the examples of RFC 3720 B.4 come out', () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a91_36aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8_ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, at) => at)), 0x46dd_794e);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, at) => 31 - at)), 0x113f_db5c);
});

test('lengths that are not words, and nothing', () => {
  assert.equal(crc32c(text('123456789')), 0xe306_9283);
  assert.equal(crc32c(text('a')), 0xc1d0_4330);
  assert.equal(crc32c(new Uint8Array(0)), 0);
});
