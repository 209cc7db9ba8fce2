import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { withWorkFolder } from './work-folder.ts';

const parent = mkdtempSync(join(tmpdir(), 'corbel-work-'));
after(() => rmSync(parent, { recursive: true }));

test('the folder is there for the work alone, also when that fails', async () => {
  const seen = await withWorkFolder(parent, 'build', async (folder) => {
    writeFileSync(join(folder, 'file'), 'x');
    return folder;
  });
  assert.equal(existsSync(seen), false);
  const failing = withWorkFolder(parent, 'build', () => Promise.reject(new Error('no')));
  await assert.rejects(failing, /no/);
  assert.deepEqual(readdirSync(parent), []);
});

test('what ended processes left goes; what lives, and what is none of ours, stays', async () => {
  const ended = spawnSync('true').pid;
  const names = [`build-${ended}`, `build-${process.ppid}`, `other-${ended}`, 'build-x', 'building'];
  for (const name of names) mkdirSync(join(parent, name));
  await withWorkFolder(parent, 'build', async () => {});
  assert.deepEqual(readdirSync(parent).sort(), names.slice(1).sort());
});
