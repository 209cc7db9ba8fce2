import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { KernelSource } from '../../machine/config.ts';
import { buffersOf, readBootFile } from './boot-files.ts';
import { testFolder } from './disk/testing/folder.ts';
import { findInputFile } from './input-file.ts';

const file = testFolder();
const content = Uint8Array.from({ length: 300_000 }, (_, n) => n * 7);

async function found(name: string) {
  writeFileSync(file(name), content);
  const described = await findInputFile('initrd', file(name), content.length);
  assert.ok(described.ok);
  return described.value;
}

function refusal(described: Parameters<typeof readBootFile>[0]): string {
  const read = readBootFile(described, new Uint8Array(described.length));
  assert.ok(!read.ok);
  return read.error.message;
}

test('a file is read into memory that threads share, and nowhere else', async () => {
  const described = await found('whole');
  assert.deepEqual([described.role, described.path, described.length], ['initrd', file('whole'), content.length]);
  const memory = new Uint8Array(new SharedArrayBuffer(content.length + 20));
  assert.ok(readBootFile(described, memory.subarray(10, 10 + content.length)).ok);
  assert.deepEqual(Uint8Array.from(memory.subarray(10, -10)), content);
  assert.deepEqual([...memory.subarray(0, 10), ...memory.subarray(-10)], Array(20).fill(0));
});

test('a file that has changed in between is refused, whichever way', async () => {
  const described = await found('changing');
  for (const length of [0, content.length - 1, content.length + 1]) {
    writeFileSync(described.path, new Uint8Array(length));
    assert.match(refusal(described), /^the initrd .*changing changed while the guest was being started\.$/);
  }
  rmSync(described.path);
  assert.match(refusal(described), /^the initrd .*changing cannot be read: there is no such file\.$/);
  execFileSync('mkfifo', [described.path]);
  assert.match(refusal(described), /changing changed/);
});

test('buffers are those of the bytes, each once, without what is in files', () => {
  const [kernel, module] = [new Uint8Array(3), new Uint8Array(5)];
  const initrd = { role: 'initrd', path: 'disk', length: 7 };
  const modules = [module, module, initrd].map((data) => ({ data, commandLine: '' }));
  const source: KernelSource = { kind: 'kernel', kernel, initrd, commandLine: '', modules };
  assert.deepEqual(buffersOf(source), [kernel.buffer, module.buffer]);
  assert.deepEqual(buffersOf({ kind: 'firmware', image: kernel }), [kernel.buffer]);
});
