/** Node's file calls with results instead of exceptions. */
import { close, fstat, open, type Stats } from 'node:fs';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { ok, type Result } from '../../../support/result.ts';
import { hostFailure } from './host-failure.ts';

/** @param flags of `node:fs`'s `constants` */
export function openFile(path: string, flags: number): Promise<Result<number, DiskFailure>> {
  return new Promise((resolve) => {
    open(path, flags, 0o666, (error, fd) => resolve(error === null ? ok(fd) : hostFailure(path, 'opened', error)));
  });
}

export function statusOf(name: string, fd: number): Promise<Result<Stats, DiskFailure>> {
  return new Promise((resolve) => {
    fstat(fd, (error, status) => resolve(error === null ? ok(status) : hostFailure(name, 'examined', error)));
  });
}

export function closeFile(fd: number, name: string): Promise<Result<void, DiskFailure>> {
  return new Promise((resolve) => {
    close(fd, (error) => resolve(error ? hostFailure(name, 'closed', error) : ok(undefined)));
  });
}
