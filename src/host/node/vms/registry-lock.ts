import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fail, type Result } from '../../../support/result.ts';

const lockFile = '.lock';
const patienceMs = 10_000;

/**
 * Runs `work` while no other process does so for the same folder. Node offers no file locks of its own; SQLite's are the
 * operating system's, which frees them however a process ends. The database stays empty.
 * @param work short and synchronous; it must not take the lock again; what the file system refuses may be thrown
 */
export function withRegistryLock<T>(folder: string, work: () => Result<T>): Result<T> {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(folder, lockFile), { timeout: patienceMs });
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock?.close();
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
