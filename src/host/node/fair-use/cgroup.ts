/** A cgroup for this process alone, in which the kernel keeps it to its limit and its shares. */
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import { identifyProcess } from '../vms/process-identity.ts';
import { type CgroupFiles, type CgroupPlace, controlFile, findCgroupPlace } from './cgroup-place.ts';

export const hostCgroupFiles: CgroupFiles = {
  read: (path) => readFileSync(path, 'utf8'),
  write: (path, text) => writeFileSync(path, text),
  isWritable: (path) => {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  },
  names: (folder) => readdirSync(folder),
  makeFolder: (path) => void mkdirSync(path),
  removeFolder: (path) => rmdirSync(path),
};

export interface CgroupSettings {
  /** In cores. */
  readonly limit: number | undefined;
  /** As version 1 has them. */
  readonly shares: number | undefined;
}

const periodUs = 100_000;
/** The kernel takes no less. */
const leastQuotaUs = 1000;
const weightOfShares = 100 / 1024;
const mostWeight = 10_000;
const ownName = /^corbel-([0-9]+)$/;

/** Moves this process; `leave` moves it back. Errors: `unavailable`, with a reason; nothing has changed then. */
export function enterCgroup(
  settings: CgroupSettings,
  pid: number,
  files: CgroupFiles = hostCgroupFiles,
): Result<{ leave(): void }> {
  const place = findCgroupPlace(files);
  if (!place.ok) return place;
  const { parent } = place.value;
  const own = join(parent, `corbel-${pid}`);
  removeLeftOvers(parent, files);
  const undo: (() => void)[] = [];
  try {
    files.makeFolder(own);
    undo.push(() => files.removeFolder(own));
    move(place.value, own, pid, files, undo);
    if (settings.limit !== undefined) {
      const quotaUs = Math.max(leastQuotaUs, Math.round(settings.limit * periodUs));
      files.write(join(own, controlFile.limit), `${quotaUs} ${periodUs}`);
    }
    if (settings.shares !== undefined) files.write(join(own, controlFile.weight), String(weightOf(settings.shares)));
  } catch (error) {
    undoAll(undo);
    return fail('unavailable', `${own} cannot be used (${(error as Error).message}).`);
  }
  return ok({ leave: () => undoAll(undo) });
}

function move(place: CgroupPlace, own: string, pid: number, files: CgroupFiles, undo: (() => void)[]): void {
  const { current, parent, switchOn } = place;
  files.write(join(own, controlFile.processes), String(pid));
  undo.push(() => files.write(join(current, controlFile.processes), String(pid)));
  if (!switchOn) return;
  files.write(join(parent, controlFile.children), '+cpu');
  undo.push(() => files.write(join(parent, controlFile.children), '-cpu'));
}

/** As systemd converts them. Source: systemd, cgroup_cpu_shares_to_weight. */
function weightOf(shares: number): number {
  return Math.min(mostWeight, Math.max(1, Math.floor(shares * weightOfShares)));
}

/** The last first, each whatever becomes of the others. */
function undoAll(undo: (() => void)[]): void {
  for (let last = undo.pop(); last !== undefined; last = undo.pop()) {
    try {
      last();
    } catch {
      // Somebody has changed something meanwhile; the rest may work.
    }
  }
}

/** Cgroups of processes that were killed. */
function removeLeftOvers(parent: string, files: CgroupFiles): void {
  for (const name of files.names(parent)) {
    const pid = ownName.exec(name)?.[1];
    if (pid !== undefined && identifyProcess(Number(pid)) === undefined) {
      undoAll([() => files.removeFolder(join(parent, name))]);
    }
  }
}
