import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScancodeTranslation } from './scancode-translation.ts';

const translate = (...bytes: number[]) => {
  const translation = new ScancodeTranslation();
  return bytes.map((byte) => translation.next(byte)).filter((byte) => byte >= 0);
};

test('keys by their codes in both sets', () => {
  const keys: [string, number, number][] = [
    ['Esc', 0x76, 0x01],
    ['1', 0x16, 0x02],
    ['A', 0x1c, 0x1e],
    ['Z', 0x1a, 0x2c],
    ['Enter', 0x5a, 0x1c],
    ['Space', 0x29, 0x39],
    ['left Shift', 0x12, 0x2a],
    ['left Ctrl', 0x14, 0x1d],
    ['left Alt', 0x11, 0x38],
    ['Backspace', 0x66, 0x0e],
    ['F1', 0x05, 0x3b],
    ['F7', 0x83, 0x41],
    ['F12', 0x07, 0x58],
    ['keypad +', 0x79, 0x4e],
    ['SysRq', 0x84, 0x54],
  ];
  for (const [name, set2, set1] of keys) assert.deepEqual(translate(set2, 0xf0, set2), [set1, set1 | 0x80], name);
});

test('prefixes and acknowledgements pass', () => {
  assert.deepEqual(translate(0xe0, 0x75, 0xe0, 0xf0, 0x75), [0xe0, 0x48, 0xe0, 0xc8], 'arrow up');
  assert.deepEqual(translate(0xfa, 0xaa, 0xee, 0xfe), [0xfa, 0xaa, 0xee, 0xfe]);
});

test('the 127 single codes of set 2 map one to one', () => {
  assert.equal(new Set(Array.from({ length: 0x80 }, (_, code) => translate(code)[0])).size, 0x80);
});
