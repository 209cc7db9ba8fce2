/**
 * Where virtual machines are kept, as the XDG Base Directory Specification has it: what outlives them under the state
 * folder, the sockets of those that run under the runtime folder.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';

/** Ours and nobody else's: consoles and command lines may show secrets. */
const privateFolderMode = 0o700;
export const privateFileMode = 0o600;

/** sockaddr_un has 108 bytes for a path and its NUL on Linux (unix(7)), 104 elsewhere. */
const maxSocketPathBytes = process.platform === 'linux' ? 107 : 103;

export const socketName = { control: 'control.sock', console: 'console.sock', vsock: 'vsock.sock' } as const;

/** Holds a folder for each virtual machine that there is. */
export function vmsFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = absolute(env.XDG_STATE_HOME) ?? join(homedir(), '.local', 'state');
  return join(base, 'corbel', 'vms');
}

/** What a virtual machine keeps: its definition, logs, outcome, and disks made for it alone. `rm` deletes it. */
export function vmStateFolder(name: string): string {
  return join(vmsFolder(), name);
}

/** Holds a folder of sockets for each virtual machine that runs. */
export function socketsFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = absolute(env.XDG_RUNTIME_DIR);
  // Not the temporary folder of this login: every shell of the user has to find it.
  return base === undefined ? `/tmp/corbel-${userInfo().uid}` : join(base, 'corbel');
}

/** The sockets' folder of the virtual machine `name`; it has to be short enough for them. */
export function vmSocketsFolder(name: string): Result<string> {
  const folder = join(socketsFolder(), name);
  const longest = Math.max(...Object.values(socketName).map((file) => Buffer.byteLength(join(folder, file))));
  if (longest <= maxSocketPathBytes) return ok(folder);
  return fail('input', `the path ${folder} is too long for sockets; take a shorter name or XDG_RUNTIME_DIR.`);
}

/** Makes `path` a folder that this user alone can enter, or finds that it is one. */
export function providePrivateFolder(path: string): Result<void> {
  try {
    mkdirSync(path, { recursive: true, mode: privateFolderMode });
    // Not followed: a link could have been put there by somebody else.
    const status = lstatSync(path);
    if (!status.isDirectory()) return fail('input', `${path} is no folder; remove it.`);
    if (status.uid !== userInfo().uid) return fail('input', `${path} belongs to another user; remove it.`);
    if ((status.mode & 0o077) !== 0) return fail('input', `${path} is open to others; run chmod 700 on it.`);
    return ok(undefined);
  } catch (error) {
    return fail('input', `the folder ${path} cannot be made (${(error as Error).message}).`);
  }
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}
