import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

test('text becomes the bytes that others make of it, and comes back', () => {
  for (const text of ['', 'disk.qcow2', 'Ümläut', '日本', '\u{1f4be} 100%', '\u0000']) {
    assert.deepEqual(encodeUtf8(text), new Uint8Array(Buffer.from(text)));
    assert.equal(decodeUtf8(encodeUtf8(text)), text);
  }
});

test('what is no UTF-8 is no text', () => {
  for (const bytes of [[0xff], [0xc3], [0x80], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x41, 0xf5, 0x80, 0x80, 0x80]]) {
    assert.equal(decodeUtf8(Uint8Array.from(bytes)), undefined);
  }
});
