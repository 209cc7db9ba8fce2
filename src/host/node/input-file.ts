import { access, constants, type FileHandle, open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BootFile } from '../../machine/config.ts';
import { fail, ok, type Result } from '../../support/result.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it may not be read',
  EPERM: 'it may not be read',
  ELOOP: 'its symbolic links go in circles',
  ENAMETOOLONG: 'its name is too long',
};

/**
 * Looks at a file that the user named, which the machine is to read.
 * @param role what it is for, in the message: kernel, initrd
 * @param maxBytes the guest's memory: what is larger cannot be loaded
 */
export async function findInputFile(role: string, path: string, maxBytes: number): Promise<Result<BootFile>> {
  try {
    const status = await stat(path);
    if (!status.isFile()) return fail('input', `the ${role} ${path} is not a regular file.`);
    if (status.size === 0) return fail('input', `the ${role} ${path} is empty.`);
    if (status.size > maxBytes) {
      const sizes = `${status.size} bytes; the guest has ${maxBytes}`;
      return fail('input', `the ${role} ${path} is larger than the guest's memory (${sizes}); raise --memory.`);
    }
    await access(path, constants.R_OK);
    return ok({ role, path: resolve(path), length: status.size });
  } catch (error) {
    return unreadable(role, path, error);
  }
}

/** Reads a file that the user named; what is larger than `maxBytes` is not read. */
export async function readInputFile(role: string, path: string, maxBytes: number): Promise<Result<Uint8Array>> {
  const found = await findInputFile(role, path, maxBytes);
  if (!found.ok) return found;
  try {
    const handle = await open(path);
    try {
      return ok(await readWhole(handle, found.value.length));
    } finally {
      await handle.close();
    }
  } catch (error) {
    return unreadable(role, path, error);
  }
}

/** Why a file that the user named cannot be read, for the user. */
export function unreadable(role: string, path: string, error: unknown): Result<never> {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const reason = reasons[code] ?? (error as Error).message;
  return fail('input', `the ${role} ${path} cannot be read: ${reason}.`);
}

/**
 * Into an array of its own, which can be handed to another thread. No second copy: nobody would collect it, as the thread has
 * nothing to do once the guest runs.
 */
async function readWhole(handle: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await handle.read(bytes, length, size - length);
    // The file became shorter meanwhile.
    if (bytesRead === 0) return bytes.slice(0, length);
    length += bytesRead;
  }
  return bytes;
}
