/** Node's file functions with outcomes instead of exceptions, and paths that are byte strings. */
import * as fs from 'node:fs';
import { type Outcome, refuse } from '../../../ninep/file-tree.ts';
import { linuxErrno } from '../../../spec/linux-errno.ts';
import { ok } from '../../../support/result.ts';

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

function call<T>(start: (done: Done<T>) => void): Promise<Outcome<T>> {
  return new Promise((resolve) => {
    try {
      start((error, value) => resolve(error ? refuse(errnoOf(error)) : ok(value)));
    } catch {
      // Node refuses some numbers before it asks the system.
      resolve(refuse(linuxErrno.EINVAL));
    }
  });
}

/** Error numbers differ between systems, their names do not. */
function errnoOf(error: NodeJS.ErrnoException): number {
  if (error.code === 'ENOTSUP') return linuxErrno.EOPNOTSUPP;
  return linuxErrno[error.code as keyof typeof linuxErrno] ?? linuxErrno.EIO;
}

const bytes = (path: string): Buffer => Buffer.from(path, 'latin1');

/** What was given in nanoseconds, as exactly as Node takes it: to some hundred nanoseconds, to milliseconds before 1970. */
function fileTime(ns: bigint): number | Date {
  return ns >= 0n ? Number(ns) / 1e9 : new Date(Number(ns / 1_000_000n));
}

export const systemCalls = {
  open: (path: string, flags: number, mode = 0) => call<number>((done) => fs.open(bytes(path), flags, mode, done)),
  close: (fd: number) => call<void>((done) => fs.close(fd, done as Done<void>)),
  statOpen: (fd: number) => call<fs.BigIntStats>((done) => fs.fstat(fd, { bigint: true }, done)),
  statEntry: (path: string) => call<fs.BigIntStats>((done) => fs.lstat(bytes(path), { bigint: true }, done)),
  statFileSystem: (path: string) => call<fs.BigIntStatsFs>((done) => fs.statfs(bytes(path), { bigint: true }, done)),
  realPath: (path: string) => call<string>((done) => fs.realpath.native(bytes(path), 'latin1', done as Done<string>)),

  read: (fd: number, into: Uint8Array, offset: number) =>
    call<number>((done) => fs.read(fd, into, 0, into.length, offset, done)),
  write: (fd: number, from: Uint8Array, offset: number) =>
    call<number>((done) => fs.write(fd, from, 0, from.length, offset, done)),
  sync: (fd: number) => call<void>((done) => fs.fsync(fd, done as Done<void>)),
  syncData: (fd: number) => call<void>((done) => fs.fdatasync(fd, done as Done<void>)),
  resizeOpen: (fd: number, size: number) => call<void>((done) => fs.ftruncate(fd, size, done as Done<void>)),
  changeModeOpen: (fd: number, mode: number) => call<void>((done) => fs.fchmod(fd, mode, done as Done<void>)),
  openDirectory: (path: string) =>
    call<fs.Dir>((done) => fs.opendir(bytes(path), { encoding: 'latin1', bufferSize: 256 }, done)),

  /** The next name, or null at the end. */
  readDirectory: (directory: fs.Dir) =>
    call<string | null>((done) => directory.read((error, entry) => done(error, entry?.name ?? null))),
  closeDirectory: (directory: fs.Dir) => call<void>((done) => directory.close(done as Done<void>)),

  changeMode: (path: string, mode: number) => call<void>((done) => fs.chmod(bytes(path), mode, done as Done<void>)),
  changeOwner: (path: string, uid: number, gid: number) =>
    call<void>((done) => fs.chown(bytes(path), uid, gid, done as Done<void>)),
  changeEntryOwner: (path: string, uid: number, gid: number) =>
    call<void>((done) => fs.lchown(bytes(path), uid, gid, done as Done<void>)),
  changeTimes: (path: string, accessNs: bigint, modifyNs: bigint) =>
    call<void>((done) => fs.utimes(bytes(path), fileTime(accessNs), fileTime(modifyNs), done as Done<void>)),
  changeEntryTimes: (path: string, accessNs: bigint, modifyNs: bigint) =>
    call<void>((done) => fs.lutimes(bytes(path), fileTime(accessNs), fileTime(modifyNs), done as Done<void>)),

  makeDirectory: (path: string, mode: number) =>
    call<void>((done) => fs.mkdir(bytes(path), { mode }, done as Done<void>)),
  makeSymlink: (target: string, path: string) =>
    call<void>((done) => fs.symlink(bytes(target), bytes(path), done as Done<void>)),
  readLink: (path: string) => call<string>((done) => fs.readlink(bytes(path), 'latin1', done)),
  link: (from: string, to: string) => call<void>((done) => fs.link(bytes(from), bytes(to), done as Done<void>)),
  rename: (from: string, to: string) => call<void>((done) => fs.rename(bytes(from), bytes(to), done as Done<void>)),
  unlink: (path: string) => call<void>((done) => fs.unlink(bytes(path), done as Done<void>)),
  removeDirectory: (path: string) => call<void>((done) => fs.rmdir(bytes(path), done as Done<void>)),
} as const;
