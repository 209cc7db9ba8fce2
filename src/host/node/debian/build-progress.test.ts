import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildProgress } from './build-progress.ts';

function told(lines: readonly string[]): [string, number][] {
  const seen: [string, number][] = [];
  const progress = new BuildProgress((phase, share) => seen.push([phase, share]));
  for (const line of lines) progress.report(line);
  return seen;
}

test('each phase runs from its beginning to its end', () => {
  const seen = told([
    'unpack 1 2',
    'unpack 2 2',
    'essential 0 2',
    'processing: install: libc6',
    'status: libc6:amd64: half-installed',
    'status: libc6:amd64: unpacked',
    'status: bash: unpacked',
    'status: libc6:amd64: half-configured',
    'status: libc6:amd64: installed',
    'status: bash: installed',
    'status: bash: installed',
    'install 0 100',
    'pmstatus:dpkg-exec:0.5000:Running dpkg',
    'pmstatus:udev:50.0000:Installing udev',
    'pmstatus:libc6:amd64:75.0000:Installing libc6',
    'finish 1 1',
  ]);
  assert.deepEqual(seen, [
    ['unpack', 0.5],
    ['unpack', 1],
    ['essential', 0],
    ['essential', 0.25],
    ['essential', 0.5],
    ['essential', 0.75],
    ['essential', 1],
    ['essential', 1],
    ['install', 0],
    ['install', 0.005],
    ['install', 0.5],
    ['install', 0.75],
    ['finish', 1],
  ]);
});

test('lines of other programs change nothing', () => {
  assert.deepEqual(told(['', 'unpack', 'unpack x y', 'other 1 2', 'pmstatus:x:50:y', 'status: a: installed']), []);
});
