import { readFile, stat } from 'node:fs/promises';
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
 * Reads a file that the user named.
 * @param role what it is for, in the message: kernel, initrd
 * @param maxBytes the guest's memory: what is larger cannot be loaded and is not read
 */
export async function readInputFile(role: string, path: string, maxBytes: number): Promise<Result<Uint8Array>> {
  try {
    const status = await stat(path);
    if (!status.isFile()) return fail('input', `the ${role} ${path} is not a regular file.`);
    if (status.size === 0) return fail('input', `the ${role} ${path} is empty.`);
    if (status.size > maxBytes) {
      const sizes = `${status.size} bytes; the guest has ${maxBytes}`;
      return fail('input', `the ${role} ${path} is larger than the guest's memory (${sizes}); raise --memory.`);
    }
    // An array of its own: small files would otherwise share one buffer, which could not be handed to another thread.
    return ok(new Uint8Array(await readFile(path)));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const reason = reasons[code] ?? (error as Error).message;
    return fail('input', `the ${role} ${path} cannot be read: ${reason}.`);
  }
}
