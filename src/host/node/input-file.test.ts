import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { testFolder } from './disk/testing/folder.ts';
import { readInputFile } from './input-file.ts';

const file = testFolder();

test('a file comes whole, in a buffer that holds nothing else', async () => {
  for (const length of [1, 100, 300_000]) {
    const path = file(`input-${length}`);
    const content = Uint8Array.from({ length }, (_, n) => n * 7);
    await writeFile(path, content);
    const read = await readInputFile('initrd', path, length);
    assert.ok(read.ok);
    assert.deepEqual(read.value, content);
    assert.equal(read.value.buffer.byteLength, length);
  }
});

test('what is missing, empty, no file or too large is refused by its name', async () => {
  await writeFile(file('empty'), '');
  await writeFile(file('large'), 'four');
  const cases = [
    [file('missing'), /^the kernel .*missing cannot be read: there is no such file\.$/],
    [file('empty'), /^the kernel .*empty is empty\.$/],
    [file('.'), /is not a regular file\.$/],
    [file('large'), /is larger than the guest's memory \(4 bytes; the guest has 3\); raise --memory\.$/],
  ] as const;
  for (const [path, message] of cases) {
    const read = await readInputFile('kernel', path, 3);
    assert.ok(!read.ok);
    assert.match(read.error.message, message);
  }
});
