/** A folder for the files of one test file, gone afterwards. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** A folder in memory, where the host has one: what is flushed there costs nothing. */
const memory = '/dev/shm';

/** @returns the path of a name in it */
export function testFolder(): (name: string) => string {
  const folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'corbel-disk-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}
