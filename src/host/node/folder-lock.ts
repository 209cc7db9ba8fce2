/** A folder that one process at a time works on; the others wait for it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const lockFile = '.lock';
const againMs = 200;
/** SQLITE_BUSY; sqlite.org/rescode.html */
const busy = 5;

/**
 * Runs `work` while nobody else holds the folder's lock, for as long as that takes. Node offers no file locks of its own;
 * SQLite's are the operating system's, which frees them however a process ends. The database stays empty.
 * @throws what the file system refuses
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const lock = new DatabaseSync(join(folder, lockFile), { timeout: 0 });
  try {
    while (!tryLock(lock)) await delay(againMs);
    return await work();
  } finally {
    lock.close();
  }
}

function tryLock(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === busy) return false;
    throw error;
  }
}
