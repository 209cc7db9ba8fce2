import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, ok, type Result } from '../support/result.ts';
import { kindOf, messageOf, value } from '../support/testing/expect.ts';
import type { BlockFile, BlockFiles } from './block-file.ts';
import type { DiskFailure } from './disk-failure.ts';
import { imageFormats, type ReadOnlyFormat } from './formats.ts';
import { type DiskSource, type ImageHost, openImage } from './open-image.ts';
import { createQcow2 } from './qcow2/create.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { openRaw } from './raw-disk.ts';
import { MemoryFile } from './testing/memory-file.ts';
import { noCodecs } from './testing/no-codecs.ts';

/** Files by name, all in one folder. */
class MemoryFiles implements BlockFiles {
  readonly contents = new Map<string, Uint8Array>();
  readonly opened: MemoryFile[] = [];

  async open(path: string, access: 'read' | 'write'): Promise<Result<BlockFile, DiskFailure>> {
    const content = this.contents.get(path);
    if (content === undefined) return fail('not-found', `${path} cannot be opened: there is no such file.`);
    const file = new MemoryFile(path, content, access === 'read');
    this.opened.push(file);
    return ok(file);
  }
}

/** Begins with "OTHER"; its disk is the whole file. */
const other: ReadOnlyFormat = {
  name: 'other',
  probe: (header) => String.fromCharCode(...header.subarray(0, 5)) === 'OTHER',
  open: (file) => openRaw(file, true),
};

const server: DiskSource = {
  handles: (name) => name.startsWith('server:'),
  open: (name) => openRaw(new MemoryFile(name, new Uint8Array(4096).fill(name.length)), false),
};

function testHost(): ImageHost & { readonly files: MemoryFiles } {
  return { files: new MemoryFiles(), codecs: noCodecs, formats: imageFormats([other]), sources: [server] };
}

async function qcow2Over(backingFile: string, backingFormat?: string): Promise<Uint8Array> {
  const file = new MemoryFile('new');
  const below = { backingFile, ...(backingFormat === undefined ? {} : { backingFormat }) };
  const image = value(await createQcow2(file, noCodecs, { sizeBytes: 4096, ...below }));
  value(await new Qcow2Disk(image).close());
  return file.bytes();
}

test('the first bytes tell the format, unless it is said', async () => {
  const host = testHost();
  host.files.contents.set(
    'a',
    Uint8Array.from('OTHER and more', (char) => char.charCodeAt(0)),
  );
  host.files.contents.set('b', new Uint8Array(0));
  assert.equal(value(await openImage(host, 'a', { readOnly: true })).format, 'other');
  assert.equal(value(await openImage(host, 'a', { readOnly: true, format: 'raw' })).format, 'raw');
  const empty = value(await openImage(host, 'b', { readOnly: true }));
  assert.deepEqual([empty.format, empty.disk.sizeBytes], ['raw', 0]);
  assert.match(
    messageOf(await openImage(host, 'a', { readOnly: true, format: 'qed' })),
    /known are qcow2, other, raw\.$/,
  );
});

test('disks that are no files', async () => {
  const host = testHost();
  const disk = value(await openImage(host, 'server:x', { readOnly: false })).disk;
  value(await disk.write(0, new Uint8Array(512)));
  const reader = value(await openImage(host, 'server:x', { readOnly: true })).disk;
  assert.equal(reader.readOnly, true);
  for (const refused of [
    reader.write(0, new Uint8Array(512)),
    reader.discard(0, 512),
    reader.writeZeroes(0, 512, true),
    reader.resize(0),
  ]) {
    assert.equal(kindOf(await refused), 'read-only');
  }
  const bytes = new Uint8Array(4);
  value(await reader.read(100, bytes));
  assert.deepEqual([...bytes], [8, 8, 8, 8]);
  assert.equal(kindOf(await openImage(host, 'server:x', { readOnly: true, format: 'qcow2' })), 'unsupported');
  // They may lie below an image.
  host.files.contents.set('top', await qcow2Over('server:y', 'raw'));
  const top = value(await openImage(host, 'top', { readOnly: false })).disk;
  value(await top.read(100, bytes));
  assert.deepEqual([...bytes], [8, 8, 8, 8]);
});

test('what was opened is closed: with the disk, and when something below is not there', async () => {
  const host = testHost();
  host.files.contents.set('base', new Uint8Array(4096).fill(1));
  host.files.contents.set('middle', await qcow2Over('base', 'raw'));
  host.files.contents.set('top', await qcow2Over('middle', 'qcow2'));
  const { disk } = value(await openImage(host, 'top', { readOnly: false }));
  assert.deepEqual(
    host.files.opened.map(({ name, readOnly }) => [name, readOnly]),
    [
      ['top', false],
      ['middle', true],
      ['base', true],
    ],
  );
  value(await disk.close());
  assert.ok(host.files.opened.every(({ closed }) => closed));
  host.files.contents.delete('base');
  assert.match(messageOf(await openImage(host, 'top', { readOnly: false })), /base cannot be opened/);
  assert.ok(host.files.opened.every(({ closed }) => closed));
  const alone = value(await openImage(host, 'top', { readOnly: true, withoutBacking: true }));
  value(await alone.disk.close());
});

test('a format that is only guessed names no other files when it lies below', async () => {
  const host = testHost();
  host.files.contents.set('secret', new Uint8Array(4096).fill(1));
  host.files.contents.set('guest', await qcow2Over('secret', 'raw'));
  host.files.contents.set('top', await qcow2Over('guest'));
  assert.match(messageOf(await openImage(host, 'top', { readOnly: true })), /does not say of which format guest is/);
  assert.ok(host.files.opened.every(({ name, closed }) => name !== 'secret' && closed));
  host.files.contents.set('top', await qcow2Over('guest', 'qcow2'));
  value(await openImage(host, 'top', { readOnly: true }));
});
