/** What the operating system's errors mean for a disk. */
import type { DiskFailureKind } from '../../../block/disk-failure.ts';
import { type Err, type Failure, fail } from '../../../support/result.ts';

const known: Readonly<Record<string, readonly [DiskFailureKind, string]>> = {
  ENOENT: ['not-found', 'there is no such file'],
  ENOTDIR: ['not-found', 'there is no such file'],
  ENXIO: ['not-found', 'there is no such device'],
  ENODEV: ['not-found', 'there is no such device'],
  EACCES: ['io', 'its permissions do not allow it'],
  EPERM: ['io', 'its permissions do not allow it'],
  EROFS: ['read-only', 'its file system is read-only'],
  ENOSPC: ['no-space', 'the file system is full'],
  EDQUOT: ['no-space', 'the disk quota is used up'],
  EFBIG: ['unsupported', 'files cannot be that large there'],
  EBUSY: ['in-use', 'the operating system uses it'],
  EISDIR: ['unsupported', 'it is a folder'],
  ELOOP: ['not-found', 'its symbolic links go in circles'],
  ENAMETOOLONG: ['not-found', 'its name is too long'],
  EMFILE: ['io', 'this process has too many files open'],
  EIO: ['io', 'the medium reports an error'],
};

/** @param doing what could not be done: "read", "opened" */
export function hostFailure(name: string, doing: string, error: unknown): Err<Failure<DiskFailureKind>> {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  const [kind, reason] = known[code] ?? (['io', message] as const);
  return fail(kind, `${name} cannot be ${doing}: ${reason}.`);
}
