import { fail, type Result } from '../../../support/result.ts';
import { type FolderLock, takeFolderLock } from '../folder-lock.ts';

const patienceMs = 10_000;

/**
 * Runs `work` while no other process does so for the same folder.
 * @param work short and synchronous; it must not take the lock again; what the file system refuses may be thrown
 */
export function withRegistryLock<T>(folder: string, work: () => Result<T>): Result<T> {
  let lock: FolderLock;
  try {
    lock = takeFolderLock(folder, patienceMs);
  } catch (error) {
    return fail('input', `the folder ${folder} cannot be locked (${(error as Error).message}).`);
  }
  try {
    return work();
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    return fail('input', `the state of virtual machines cannot be changed (${message}).`);
  } finally {
    lock.close();
  }
}
