/** A folder that one process at a time works on; the others wait for it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const lockFile = '.lock';
const againMs = 200;
/** SQLITE_BUSY; sqlite.org/rescode.html */
const busy = 5;

export interface FolderLock {
  close(): void;
}

/**
 * Node offers no file locks of its own; SQLite's are the operating system's, which frees them however a process ends. The
 * database stays empty.
 * @throws when it is not free within `patienceMs`, in which this thread waits; what the file system refuses
 */
export function takeFolderLock(folder: string, patienceMs: number): FolderLock {
  const lock = new DatabaseSync(join(folder, lockFile), { timeout: patienceMs });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/**
 * Runs `work` while nobody else holds the folder's lock, and waits for that as long as it takes.
 * @throws what the file system refuses
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  let lock = tryLock(folder);
  for (; lock === undefined; lock = tryLock(folder)) await delay(againMs);
  try {
    return await work();
  } finally {
    lock.close();
  }
}

function tryLock(folder: string): FolderLock | undefined {
  try {
    return takeFolderLock(folder, 0);
  } catch (error) {
    if ((error as { errcode?: number }).errcode === busy) return undefined;
    throw error;
  }
}
