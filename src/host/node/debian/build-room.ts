/**
 * Where a system can be installed that must believe it is the root of its machine: namespaces of the host's kernel,
 * as root or as the root of a user namespace. Sources: unshare(1), user_namespaces(7), newuidmap(1), subuid(5).
 */
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Writable } from 'node:stream';
import { fail, ok, type Result } from '../../../support/result.ts';
import { runProgram } from '../program.ts';

export type BuildRoom = { readonly kind: 'root' } | UserNamespace;

/** The user is root in there; the other ids are the host's from these ranges. */
interface UserNamespace {
  readonly kind: 'user-namespace';
  readonly users: IdRange;
  readonly groups: IdRange;
}

interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** The ids that a Debian system gives out itself, nobody among them. */
const neededIds = 65535;

/** Ends with its parent; sees no network, and neither processes nor mounts of the host change by it. */
const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--uts', '--ipc', '--net'] as const;

/** Tells that it is in its user namespace, and waits for its ids there. */
const present = 'in the user namespace';
const waitForIds = `echo ${present}; read -r go && exec "$@"`;

const probe = 'mount -t tmpfs tmpfs "$1" && mkdir "$1/proc" && mount -t proc proc "$1/proc" && chroot / true';

/**
 * Finds a way that works here, by trying it.
 * @param folder where the trial may mount something
 */
export async function findBuildRoom(folder: string): Promise<Result<BuildRoom>> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return fail('unavailable', 'an image of Debian can be built on Linux on x86-64 alone.');
  }
  const candidate = whoAmI().uid === 0 ? ok({ kind: 'root' } as const) : await userNamespace();
  if (!candidate.ok) return candidate;
  const tried = await runInRoom(candidate.value, ['/bin/sh', '-c', probe, 'sh', folder], { cwd: folder });
  if (tried.ok) return candidate;
  const why =
    candidate.value.kind === 'root'
      ? 'this host does not let root mount anything, as in a container without that privilege'
      : 'this host does not let its users make user namespaces';
  return fail('unavailable', `${why} (${tried.error.message}).`);
}

async function userNamespace(): Promise<Result<BuildRoom>> {
  const { name, uid } = whoAmI();
  const users = parseSubordinateIds(await readFile('/etc/subuid', 'utf8').catch(() => ''), name, uid);
  const groups = parseSubordinateIds(await readFile('/etc/subgid', 'utf8').catch(() => ''), name, uid);
  const mapper = await runProgram(['sh', '-c', 'command -v newuidmap && command -v newgidmap'], { cwd: '/' });
  if (mapper.ok && users !== undefined && groups !== undefined) return ok({ kind: 'user-namespace', users, groups });
  const missing = mapper.ok
    ? `${name} has no ${neededIds + 1} subordinate ids: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}`
    : 'the program newuidmap is missing: install the package uidmap';
  return fail('unavailable', `an image is built as root, or in a user namespace; for that ${missing}.`);
}

/** A user of a container may have a number without a name. */
function whoAmI(): { name: string; uid: number; gid: number } {
  const uid = process.getuid?.() ?? -1;
  const gid = process.getgid?.() ?? -1;
  try {
    return { name: userInfo().username, uid, gid };
  } catch {
    return { name: String(uid), uid, gid };
  }
}

/** The first range of the user that is large enough. @param text of subuid(5) or subgid(5) */
export function parseSubordinateIds(text: string, name: string, uid: number): IdRange | undefined {
  for (const line of text.split('\n')) {
    const [owner, first, count] = line.split(':');
    if ((owner !== name && owner !== String(uid)) || !/^[0-9]+$/.test(first ?? '') || !/^[0-9]+$/.test(count ?? ''))
      continue;
    if (Number(count) >= neededIds) return { first: Number(first), count: Number(count) };
  }
  return undefined;
}

interface RoomOptions {
  readonly cwd: string;
  /** Told each line that is written to descriptor 3. */
  readonly onReport?: (line: string) => void;
}

type Command = readonly [string, ...string[]];

/** Runs `command` in there, as root of it. */
export async function runInRoom(room: BuildRoom, command: Command, options: RoomOptions): Promise<Result<string[]>> {
  if (room.kind === 'root') return runProgram([...namespaces, '--', ...command], options);
  let refusal: Result<string[]> | undefined;
  const onOutput = (line: string, input: Writable, pid: number): void => {
    if (line !== present || input.writableEnded) return;
    void mapIds(pid, room, options.cwd).then((mapped) => {
      if (!mapped.ok) refusal = mapped;
      input.end(mapped.ok ? '\n' : undefined);
    });
  };
  const waiting = ['unshare', '--user', '--', '/bin/sh', '-c', waitForIds, 'sh'] as const;
  const ended = await runProgram([...waiting, ...namespaces, '--', ...command], { ...options, onOutput });
  return refusal ?? ended;
}

async function mapIds(pid: number, room: UserNamespace, cwd: string): Promise<Result<string[]>> {
  const { uid, gid } = whoAmI();
  const map = (program: string, own: number, { first }: IdRange) =>
    runProgram([program, `${pid}`, '0', `${own}`, '1', '1', `${first}`, `${neededIds}`], { cwd });
  const users = await map('newuidmap', uid, room.users);
  return users.ok ? map('newgidmap', gid, room.groups) : users;
}
