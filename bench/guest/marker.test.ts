import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MarkerReader } from './marker.ts';

test('markers are found between the lines of a kernel, also after a carriage return or within a line', () => {
  const reader = new MarkerReader();
  const text = '[    0.000000] Linux version 6.1\r\n@bench init@\r\n[    1.5] late @bench ready@\r\n';
  assert.deepEqual(reader.push(text), [
    { kind: 'init', words: [] },
    { kind: 'ready', words: [] },
  ]);
});

test('a marker in pieces is found once, when its line is whole', () => {
  const reader = new MarkerReader();
  assert.deepEqual(reader.push('@bench en'), []);
  assert.deepEqual(reader.push('d sha256 0@'), []);
  assert.deepEqual(reader.push('\r\n@ben'), [{ kind: 'end', words: ['sha256', '0'] }]);
  assert.deepEqual(reader.push('ch output sha256 0f00@\n'), [{ kind: 'output', words: ['sha256', '0f00'] }]);
});

test('what only resembles a marker is passed over', () => {
  const reader = new MarkerReader();
  assert.deepEqual(reader.push('run sha256\n@bench run sha256@\n@bench end\nsha256@\n@bench  init@\n'), []);
});
