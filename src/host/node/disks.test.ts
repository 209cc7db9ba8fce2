import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { closeDisks, openDisks } from './disks.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-disks-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

async function opened(path: string, readOnly = false) {
  const disks = await openDisks([{ path, readOnly }]);
  assert.ok(disks.ok, disks.ok ? '' : disks.error.message);
  const [first] = disks.value;
  assert.ok(first);
  return { disk: first.disk, close: () => closeDisks(disks.value) };
}

test('a file is a disk: what is read, written and zeroed', async () => {
  const bytes = randomBytes(10_000);
  writeFileSync(file('a'), bytes);
  const { disk, close } = await opened(file('a'));
  assert.equal(disk.sizeBytes, 9728, 'whole sectors');
  const into = new Uint8Array(new SharedArrayBuffer(3000));
  assert.ok((await disk.read(1000, into)).ok);
  assert.ok(Buffer.from(into).equals(bytes.subarray(1000, 4000)));
  assert.ok((await disk.write(512, new Uint8Array(100).fill(1))).ok);
  assert.ok((await disk.writeZeroes(2048, 512, true)).ok);
  assert.ok((await disk.discard(0, 512)).ok);
  assert.ok((await disk.flush()).ok);
  assert.deepEqual(await close(), []);
  bytes.fill(1, 512, 612).fill(0, 2048, 2560);
  assert.ok(readFileSync(file('a')).equals(bytes));
});

test('what leaves the disk, or writes to a read-only one, fails and changes nothing', async () => {
  const bytes = randomBytes(1024);
  writeFileSync(file('b'), bytes);
  const { disk, close } = await opened(file('b'), true);
  const kind = async (result: ReturnType<typeof disk.flush>): Promise<string> => {
    const value = await result;
    return value.ok ? 'ok' : value.error.kind;
  };
  assert.equal(await kind(disk.read(1000, new Uint8Array(25))), 'range');
  assert.equal(await kind(disk.write(0, new Uint8Array(1))), 'read-only');
  assert.equal(await kind(disk.writeZeroes(0, 1, false)), 'read-only');
  assert.equal(await kind(disk.discard(0, 1)), 'read-only');
  assert.equal(await kind(disk.flush()), 'ok');
  assert.deepEqual(await close(), []);
  assert.ok(readFileSync(file('b')).equals(bytes));
});

test('what is no disk: nothing stays open, the sentence says why', async () => {
  writeFileSync(file('good'), new Uint8Array(512));
  writeFileSync(file('short'), 'x');
  mkdirSync(file('folder'));
  for (const [name, message] of [
    ['missing', /the disk .*missing cannot be opened: ENOENT/],
    ['short', /shorter than a sector/],
    ['folder', /EISDIR|not a regular file/],
  ] as const) {
    const disks = await openDisks([
      { path: file('good'), readOnly: false },
      { path: file(name), readOnly: false },
    ]);
    assert.ok(!disks.ok);
    assert.equal(disks.error.kind, 'input');
    assert.match(disks.error.message, message);
  }
});
