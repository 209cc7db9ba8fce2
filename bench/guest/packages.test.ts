import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dependencies } from './packages.ts';

test('dependencies are named without versions, architectures and second choices', () => {
  assert.deepEqual(dependencies('libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0, python3:any, libstdc++6 (>= 12)'), [
    'libc6',
    'debconf',
    'python3',
    'libstdc++6',
  ]);
  assert.deepEqual(dependencies(''), []);
});
