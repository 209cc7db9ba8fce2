import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatByteSize, parseByteSize } from './byte-size.ts';

test('sizes are read', () => {
  const sizes: [string, number | undefined][] = [
    ['0', 0],
    ['512', 512],
    ['512b', 512],
    ['64k', 65536],
    ['64KiB', 65536],
    ['1.5G', 1.5 * 2 ** 30],
    ['2T', 2 ** 41],
    ['1.5', undefined],
    ['-1', undefined],
    ['1X', undefined],
    ['', undefined],
    ['G', undefined],
    ['1 G', undefined],
    ['99999999E', undefined],
    ['0x10', undefined],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseByteSize(text), bytes, text);
});

test('sizes are written', () => {
  const sizes: [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [2 ** 30, '1 GiB'],
    [1023 * 2 ** 20, '1023 MiB'],
    [2 ** 50, '1 PiB'],
  ];
  for (const [bytes, text] of sizes) assert.equal(formatByteSize(bytes), text);
});
