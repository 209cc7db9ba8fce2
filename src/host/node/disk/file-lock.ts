/** Locks on disk images that QEMU and its tools honour, and whose locks this honours. */
import type { DiskFailure } from '../../../block/disk-failure.ts';
import {
  flockLayout,
  lockPermission,
  lockPermissionBase,
  lockType,
  lockUnsharedBase,
  ofdLock,
} from '../../../spec/qemu-locks.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import type { Libc } from './libc.ts';

export type LockAccess = 'read' | 'write';

const { consistentRead, write, resize } = lockPermission;
/** What one does with the file, and what others must not do meanwhile. */
const wanted: Readonly<Record<LockAccess, { uses: readonly number[]; forbids: readonly number[] }>> = {
  read: { uses: [consistentRead], forbids: [write, resize] },
  write: { uses: [consistentRead, write, resize], forbids: [write, resize] },
};

/**
 * Holds until `fd` is closed, also by the death of the process. File systems without such locks (some network ones) are
 * used without.
 */
export function lockFile(libc: Libc, fd: number, name: string, access: LockAccess): Result<void, DiskFailure> {
  const { uses, forbids } = wanted[access];
  const bytes = [...uses.map((bit) => lockPermissionBase + bit), ...forbids.map((bit) => lockUnsharedBase + bit)];
  // Everybody's locks are shared ones: they mark, and one looks for marks that contradict one's own.
  for (const byte of bytes) libc.fcntl(fd, ofdLock.set, flock(lockType.read, byte));
  const against = [...uses.map((bit) => lockUnsharedBase + bit), ...forbids.map((bit) => lockPermissionBase + bit)];
  if (!against.some((byte) => isLocked(libc, fd, byte))) return ok(undefined);
  for (const byte of bytes) libc.fcntl(fd, ofdLock.set, flock(lockType.unlock, byte));
  return fail('in-use', inUse(libc, fd, name));
}

function inUse(libc: Libc, fd: number, name: string): string {
  const others = isLocked(libc, fd, lockPermissionBase + write) ? 'for writing' : 'and does not want it changed';
  const who = 'a virtual machine (corbel or QEMU) or a tool like qemu-img';
  return `another program has ${name} open ${others}: ${who}; end that first.`;
}

function isLocked(libc: Libc, fd: number, byte: number): boolean {
  const lock = flock(lockType.write, byte);
  if (libc.fcntl(fd, ofdLock.get, lock) !== 0) return false;
  return new DataView(lock.buffer).getInt16(flockLayout.type, true) !== lockType.unlock;
}

function flock(type: number, byte: number): Uint8Array {
  const bytes = new Uint8Array(flockLayout.sizeBytes);
  const view = new DataView(bytes.buffer);
  view.setInt16(flockLayout.type, type, true);
  view.setBigInt64(flockLayout.start, BigInt(byte), true);
  view.setBigInt64(flockLayout.length, 1n, true);
  return bytes;
}
