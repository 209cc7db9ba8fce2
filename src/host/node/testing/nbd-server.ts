/** Servers that nobody here wrote: qemu-nbd and nbdkit. Both go to the background once they take connections. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';

function without(program: string, debianPackage: string): string | false {
  const found = spawnSync(program, ['--version']).status === 0;
  return found ? false : `${program} is not installed (Debian: ${debianPackage})`;
}

/** Why tests with the server are skipped, or false. */
export const withoutQemuNbd = without('qemu-nbd', 'qemu-utils');
export const withoutNbdkit = without('nbdkit', 'nbdkit');

export interface NbdServer {
  readonly folder: string;
  readonly pid: number;
  /** Of a UNIX socket. */
  url(exportName?: string): string;
  kill(): void;
}

export function serverFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'corbel-nbd-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @param args with `-p` it listens there; otherwise at a UNIX socket */
export function startQemuNbd(context: TestContext, folder: string, ...args: string[]): Promise<NbdServer> {
  const place = args.includes('-p') ? [] : ['-k', join(folder, 'sock')];
  return start(context, folder, ['qemu-nbd', '--fork', '--pid-file', join(folder, 'pid'), '-t', ...place, ...args]);
}

export function startNbdkit(context: TestContext, folder: string, ...args: string[]): Promise<NbdServer> {
  return start(context, folder, ['nbdkit', '-P', join(folder, 'pid'), '-U', join(folder, 'sock'), ...args]);
}

async function start(
  context: TestContext,
  folder: string,
  [program = '', ...args]: readonly string[],
): Promise<NbdServer> {
  // What a server in the background keeps open must not keep this from going on.
  const started = spawnSync(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  assert.equal(started.status, 0, `${program} ${args.join(' ')}`);
  const pid = await readPid(join(folder, 'pid'));
  const kill = (): void => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  };
  context.after(kill);
  const url = (exportName = ''): string => `nbd+unix:///${exportName}?socket=${join(folder, 'sock')}`;
  return { folder, pid, kill, url };
}

/** nbdkit takes connections before it has written its number. */
async function readPid(path: string): Promise<number> {
  for (let tries = 0; !existsSync(path) || !readFileSync(path, 'utf8').endsWith('\n'); tries++) {
    assert.ok(tries < 4000, 'the server does not get ready');
    await setTimeout(5);
  }
  return Number(readFileSync(path, 'utf8'));
}
