/** The refusals that every disk has in common. */
import { type Err, type Failure, fail, ok, type Result } from '../support/result.ts';
import type { Disk } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';

/** Fails with `range` unless the range lies within the disk. */
export function checkRange(disk: Disk, offset: number, length: number): Result<void, DiskFailure> {
  if (offset >= 0 && length >= 0 && offset + length <= disk.sizeBytes) return ok(undefined);
  return fail('range', `there is no byte ${offset + length} on a disk of ${disk.sizeBytes} bytes.`);
}

export function refuseWrite(name: string): Err<Failure<'read-only'>> {
  return fail('read-only', `${name} is open for reading only.`);
}
