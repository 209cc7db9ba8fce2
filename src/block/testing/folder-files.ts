/** Files of the host, read without locks, for comparisons with images that other tools made. */
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fail, ok, type Result } from '../../support/result.ts';
import type { BlockFile, BlockFiles } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';

export async function openHostFile(path: string): Promise<BlockFile> {
  const handle = await open(path, 'r');
  const refuse = async (): Promise<Result<void, DiskFailure>> => fail('read-only', `${path} was opened for reading.`);
  return {
    name: path,
    readOnly: true,
    size: async () => ok((await handle.stat()).size),
    async read(offset, into) {
      let filled = 0;
      while (filled < into.length) {
        const { bytesRead } = await handle.read(into, filled, into.length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      into.fill(0, filled);
      return ok(undefined);
    },
    write: refuse,
    truncate: refuse,
    punchHole: refuse,
    flush: async () => ok(undefined),
    extent: async (_offset, length) => ok({ kind: 'data', length }),
    async close() {
      await handle.close();
      return ok(undefined);
    },
  };
}

export const hostFiles: BlockFiles = {
  async open(path, _access, relativeTo) {
    const place = relativeTo === undefined ? path : resolve(dirname(relativeTo), path);
    try {
      return ok(await openHostFile(place));
    } catch (error) {
      return fail('not-found', `${place} cannot be opened: ${(error as Error).message}`);
    }
  },
};
