/** Folders that last as long as one piece of work of one process. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isNumberInUse } from './vms/process-identity.ts';

/**
 * Runs `work` with a new folder in `parent`, and removes it afterwards; those of processes that were ended in the middle
 * of theirs are removed now.
 */
export async function withWorkFolder<T>(
  parent: string,
  purpose: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  await removeAbandoned(parent, purpose);
  const folder = join(parent, `${purpose}-${process.pid}`);
  await mkdir(folder, { recursive: true });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

async function removeAbandoned(parent: string, purpose: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    const pid = name.startsWith(`${purpose}-`) ? Number(name.slice(purpose.length + 1)) : 0;
    if (pid > 0 && !isNumberInUse(pid)) await rm(join(parent, name), { recursive: true, force: true }).catch(() => {});
  }
}
