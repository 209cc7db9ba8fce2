import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linuxErrno } from '../spec/linux-errno.ts';
import { FidTable } from './fids.ts';
import type { FileNode, FileTree } from './file-tree.ts';

test('there are only so many fids, and one that does not fit is given back', async () => {
  const node: FileNode = { kind: 'file' };
  let released = 0;
  const release = (): void => {
    released++;
  };
  const fids = new FidTable({ release } as unknown as FileTree);
  const qid = { type: 0, version: 0, path: 0n };
  for (let fid = 0; fid < 131_072; fid++) assert.ok((await fids.add(fid, node, qid)).ok);
  assert.deepEqual(await fids.add(200_000, node, qid), { ok: false, error: linuxErrno.ENFILE });
  assert.equal(released, 1);
  assert.ok((await fids.remove(5)).ok);
  assert.ok((await fids.add(200_000, node, qid)).ok);
  await fids.clear();
  assert.equal(released, 131_074);
});
