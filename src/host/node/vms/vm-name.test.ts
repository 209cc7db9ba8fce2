import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateVmName, parseVmName } from './vm-name.ts';

test('names of letters, digits, dots, dashes and underscores pass', () => {
  for (const name of ['a', 'web', 'web-1', 'Web_2.old', '0', 'x'.repeat(63)]) assert.ok(parseVmName(name).ok, name);
});

test('what could be a path, an option or a hidden file is refused', () => {
  const names = ['', '.', '..', '../x', 'a/b', '/etc', '.lock', '-x', '_x', 'a b', 'a\nb', 'a\0', 'ä', 'x'.repeat(64)];
  for (const name of names) {
    const parsed = parseVmName(name);
    assert.ok(!parsed.ok && parsed.error.kind === 'usage', JSON.stringify(name));
    assert.doesNotMatch(parsed.error.message, /[\0\n]/);
  }
});

test('generated names are valid and not taken', () => {
  const taken = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const name = generateVmName(taken);
    assert.ok(parseVmName(name).ok, name);
    assert.ok(!taken.has(name));
    taken.add(name);
  }
});
