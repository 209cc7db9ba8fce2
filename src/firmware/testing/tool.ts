/** Runs an inspection tool of the distribution over files that a test made. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ToolResult {
  readonly status: number | null;
  readonly output: string;
}

/** A directory with the given files, for the duration of `use`. */
export function withFiles<T>(files: Readonly<Record<string, Uint8Array>>, use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'corbel-firmware-'));
  try {
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(directory, name), bytes);
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @throws if the tool is not installed, naming the Debian package to install. */
export function runTool(command: string, packageName: string, args: readonly string[], directory: string): ToolResult {
  // Debian keeps some of these tools where only root's PATH finds them.
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd: directory, encoding: 'utf8', env });
  if (error !== undefined) {
    throw new Error(`This test needs ${command}: install the package ${packageName} (${error.message}).`);
  }
  return { status, output: stdout + stderr };
}
