import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeCpio } from './cpio.ts';

interface Entry {
  mode: number;
  size: number;
  links: number;
  device: [number, number];
  data: string;
}

/** Reads an archive the way the format's description says, without the writer's help. */
function readCpio(archive: Uint8Array): Map<string, Entry> {
  const text = Buffer.from(archive).toString('latin1');
  const entries = new Map<string, Entry>();
  for (let at = 0; ; ) {
    assert.equal(at % 4, 0);
    assert.equal(text.slice(at, at + 6), '070701');
    const field = (index: number): number => Number.parseInt(text.slice(at + 6 + index * 8, at + 14 + index * 8), 16);
    const name = text.slice(at + 110, at + 110 + field(11) - 1);
    assert.equal(text[at + 110 + field(11) - 1], '\0');
    const dataAt = Math.ceil((at + 110 + field(11)) / 4) * 4;
    if (name === 'TRAILER!!!') {
      assert.equal(dataAt, archive.length);
      return entries;
    }
    const data = text.slice(dataAt, dataAt + field(6));
    entries.set(name, { mode: field(1), links: field(4), size: field(6), device: [field(9), field(10)], data });
    at = Math.ceil((dataAt + field(6)) / 4) * 4;
  }
}

test('every kind of entry is found again, at every alignment', () => {
  const file = (path: string, text: string) =>
    ({ kind: 'file', path, mode: 0o755, data: new TextEncoder().encode(text) }) as const;
  const entries = readCpio(
    writeCpio([
      { kind: 'directory', path: 'bin', mode: 0o755 },
      file('bin/a', ''),
      file('bin/bb', 'x'),
      file('bin/ccc', 'xy'),
      file('bin/dddd', 'xyz'),
      { kind: 'link', path: 'bin/sh', target: 'busybox' },
      { kind: 'character', path: 'dev/console', mode: 0o600, device: [5, 1] },
    ]),
  );
  assert.equal(entries.size, 7);
  assert.deepEqual(entries.get('bin'), { mode: 0o40755, links: 2, size: 0, device: [0, 0], data: '' });
  assert.deepEqual(entries.get('bin/a')?.data, '');
  assert.deepEqual(entries.get('bin/dddd'), { mode: 0o100755, links: 1, size: 3, device: [0, 0], data: 'xyz' });
  assert.deepEqual(entries.get('bin/sh'), { mode: 0o120777, links: 1, size: 7, device: [0, 0], data: 'busybox' });
  assert.deepEqual(entries.get('dev/console')?.mode, 0o20600);
  assert.deepEqual(entries.get('dev/console')?.device, [5, 1]);
});

test('an empty archive is its trailer', () => {
  assert.equal(readCpio(writeCpio([])).size, 0);
});
