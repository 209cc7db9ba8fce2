/**
 * Where a process may have a cgroup (version 2) of its own without asking anybody. cgroups(7); Linux,
 * Documentation/admin-guide/cgroup-v2.rst, "Delegation" and "No Internal Process Constraint".
 */
import { basename, dirname, join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';

/** The files of cgroups, and what the process reads of itself. What cannot be done is thrown. */
export interface CgroupFiles {
  read(path: string): string;
  write(path: string, text: string): void;
  isWritable(path: string): boolean;
  names(folder: string): readonly string[];
  makeFolder(path: string): void;
  removeFolder(path: string): void;
}

export const controlFile = {
  controllers: 'cgroup.controllers',
  children: 'cgroup.subtree_control',
  processes: 'cgroup.procs',
  limit: 'cpu.max',
  weight: 'cpu.weight',
} as const;

const controller = 'cpu';
/** Systemd alone makes cgroups in its slices; what it has delegated are services and scopes. */
const managedEnding = '.slice';

export interface CgroupPlace {
  /** Where the process is. */
  readonly current: string;
  /** Where its own is to be made. */
  readonly parent: string;
  /** Whether the controller has to be switched on for it there: that takes that no process is left in there. */
  readonly switchOn: boolean;
}

/** Errors: `unavailable`, with a reason. */
export function findCgroupPlace(files: CgroupFiles): Result<CgroupPlace> {
  const found = currentCgroup(files);
  if (!found.ok) return found;
  const { current, mount } = found.value;
  if (!listed(files, join(current, controlFile.controllers)).includes(controller)) {
    return unavailable('there is no cpu controller where this process is');
  }
  const above = dirname(current);
  const isManaged = basename(above).endsWith(managedEnding);
  if (current !== mount && !isManaged && mayMake(files, above, current)) {
    const shares = listed(files, join(above, controlFile.children)).includes(controller);
    if (shares) return ok({ current, parent: above, switchOn: false });
  }
  if (!mayMake(files, current, current)) {
    return unavailable('the cgroup of this process is not delegated to its user');
  }
  if (listed(files, join(current, controlFile.processes)).length > 1) {
    return unavailable(
      'other processes are in its cgroup ("systemd-run --user --scope -p Delegate=yes" gives it its own)',
    );
  }
  return ok({ current, parent: current, switchOn: true });
}

/** A process is moved by who may write to where it goes, and to what is above both. */
function mayMake(files: CgroupFiles, parent: string, current: string): boolean {
  const needed = [parent, join(parent, controlFile.processes), join(current, controlFile.processes)];
  return needed.every((path) => files.isWritable(path));
}

function currentCgroup(files: CgroupFiles): Result<{ current: string; mount: string }> {
  const path = /^0::(\/.*)$/m.exec(attempt(() => files.read('/proc/self/cgroup')) ?? '')?.[1];
  const mounts = (attempt(() => files.read('/proc/self/mountinfo')) ?? '').split('\n');
  for (const line of mounts) {
    // ID, parent, device, root, mount point, options, optional fields, and behind a hyphen the type. proc(5).
    const [before = '', after = ''] = line.split(' - ');
    if (path === undefined || after.split(' ')[0] !== 'cgroup2') continue;
    const [, , , root = '/', mount = ''] = before.split(' ');
    const below =
      root === '/' ? path : path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : undefined;
    if (below !== undefined) return ok({ mount, current: join(mount, below).replace(/(?<=.)\/$/, '') });
  }
  return unavailable('this host has no cgroups of version 2');
}

/** The words or lines of a file; none if it cannot be read. */
function listed(files: CgroupFiles, path: string): string[] {
  return (attempt(() => files.read(path)) ?? '').split(/\s+/).filter((word) => word !== '');
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const unavailable = (why: string): Result<never> => fail('unavailable', `${why}.`);
