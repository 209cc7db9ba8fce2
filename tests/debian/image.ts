/** What tests with an image of Debian share: how it is made and reached, and when it cannot be. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { findBuildRoom } from '../../src/host/node/debian/build-room.ts';
import type { DebianImage } from '../../src/host/node/debian/image-parts.ts';

export const corbel: readonly [string, ...string[]] = [
  ...([process.execPath, '--disable-warning=ExperimentalWarning'] as const),
  fileURLToPath(new URL('../../src/cli/corbel.ts', import.meta.url)),
];
/** For whatever a loaded host may take long with. */
export const hour = 3_600_000;

function hasProgram(...command: [string, ...string[]]): boolean {
  return spawnSync(command[0], command.slice(1)).error === undefined;
}

export const noQemu = hasProgram('qemu-system-x86_64', '--version') ? false : 'QEMU is not installed';

/** Why no image can be made here. */
export async function reasonToSkip(): Promise<string | false> {
  const missing = ['apt-get', 'mke2fs', 'dpkg-deb'].find((name) => !hasProgram(name, '--version'));
  if (missing !== undefined) return `${missing} is not installed`;
  const probe = mkdtempSync(join(tmpdir(), 'corbel-probe-'));
  const room = await findBuildRoom(probe);
  rmSync(probe, { recursive: true });
  return room.ok ? false : room.error.message;
}

/** Makes an image `disk`, whose root lets the key of `makeKey` in. */
export function buildImage(folder: string, disk: string, options: readonly string[]): DebianImage {
  const key = join(folder, 'key');
  assert.equal(spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]).status, 0);
  const [node, ...words] = corbel;
  const args = ['image', 'build', 'debian', '--output', disk, '--ssh-key', `${key}.pub`, '--json', ...options];
  const built = spawnSync(node, [...words, ...args]);
  assert.equal(built.status, 0, built.stderr.toString());
  assert.equal(built.stderr.toString(), '', 'no progress where there is no terminal');
  return JSON.parse(built.stdout.toString()) as DebianImage;
}

/** Where a port of the guest's SSH server leads to. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

const sshOptions = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes', 'ConnectTimeout=300'];

/** Options of ssh and scp for a guest whose image was made in `folder`. */
const optionsFor = (folder: string): string[] => [
  ...['-q', '-i', join(folder, 'key')],
  ...sshOptions.flatMap((option) => ['-o', option]),
];

/** What a command prints, run by SSH. */
export function ssh(folder: string, port: number, command: string): Promise<string> {
  return said('ssh', [...optionsFor(folder), '-p', String(port), 'root@127.0.0.1', command]);
}

/** @param from as `to`: a path, and the guest's behind `guest:` */
export async function scp(folder: string, port: number, from: string, to: string): Promise<void> {
  const places = [from, to].map((place) => place.replace(/^guest:/, 'root@127.0.0.1:'));
  await said('scp', [...optionsFor(folder), '-P', String(port), ...places]);
}

/** Not synchronously: the console of the guest is read meanwhile. */
async function said(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const status = new Promise((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(await status, 0, `${program}: ${stderr}`);
  return stdout.trim();
}
