/** Makes an archive of a file or folder of this host. */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises';
import { tarBlockBytes, tarType } from '../../../../spec/tar.ts';
import { encodeHeader, padded } from './tar-header.ts';

const pieceBytes = 65_536;

/** What could not be packed, for people. */
export type PackProblem = (path: string, reason: string) => void;

/**
 * The archive, piece by piece. A file that cannot be read is left out, and `problem` hears of it; so are devices, pipes
 * and sockets.
 * @param path of a file or folder; a symbolic link is packed as one
 * @param name what its first member is called; those in a folder come under it
 */
export async function* packTree(path: Buffer, name: string, problem: PackProblem): AsyncGenerator<Uint8Array> {
  yield* packEntry(path, name, problem);
  yield new Uint8Array(2 * tarBlockBytes);
}

async function* packEntry(path: Buffer, name: string, problem: PackProblem): AsyncGenerator<Uint8Array> {
  try {
    const stats = await lstat(path);
    if (stats.isFile()) yield* packFile(path, name, problem);
    else if (stats.isSymbolicLink()) {
      const linkName = await readlink(path, 'latin1');
      yield encodeHeader({ ...memberOf(stats, name), type: tarType.symlink, linkName });
    } else if (stats.isDirectory()) {
      const names = await readdir(path, { encoding: 'latin1' });
      yield encodeHeader({ ...memberOf(stats, `${name}/`), type: tarType.directory });
      for (const entry of names.sort()) {
        yield* packEntry(Buffer.concat([path, Buffer.from(`/${entry}`, 'latin1')]), `${name}/${entry}`, problem);
      }
    } else problem(path.toString(), 'it is no file, folder or link');
  } catch (error) {
    problem(path.toString(), error instanceof Error ? error.message : String(error));
  }
}

async function* packFile(path: Buffer, name: string, problem: PackProblem): AsyncGenerator<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    yield encodeHeader({ ...memberOf(stats, name), sizeBytes: stats.size });
    const read = yield* content(file, stats.size);
    if (read < stats.size) problem(path.toString(), 'it became shorter while it was read; zeroes stand for the rest');
    for (let left = padded(stats.size) - read; left > 0; left -= pieceBytes) {
      yield new Uint8Array(Math.min(left, pieceBytes));
    }
  } finally {
    await file.close();
  }
}

/** @returns how many of `size` bytes there were */
async function* content(file: FileHandle, size: number): AsyncGenerator<Uint8Array, number> {
  let at = 0;
  while (at < size) {
    const piece = new Uint8Array(Math.min(pieceBytes, size - at));
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
  return at;
}

function memberOf(stats: Stats, name: string) {
  const { mode, mtimeMs } = stats;
  return {
    name,
    type: tarType.regular as string,
    mode: mode & 0o7777,
    sizeBytes: 0,
    modifySeconds: Math.floor(mtimeMs / 1000),
    linkName: '',
  };
}
