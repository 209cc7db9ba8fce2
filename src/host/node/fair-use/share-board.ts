/**
 * Where the monitors of this user's virtual machines meet: a folder with a file of each, which holds its record. There is
 * nobody in between; whoever finds the file of a dead process removes it.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ok, type Result } from '../../../support/result.ts';
import { randomBytes } from '../random.ts';
import { isAlive, isNumberInUse } from '../vms/process-identity.ts';
import { privateFileMode, providePrivateFolder, socketsFolder } from '../vms/vm-folders.ts';
import { decodeRecord, encodeRecord, recordBytes, type ShareRecord } from './share-record.ts';

/** The number of a process, which is for people, and something to tell apart what has the same number in containers. */
const fileName = /^[1-9][0-9]{0,9}-[0-9a-f]{8}$/;
/** However many files somebody may put there: looking at them must not hold up a guest. */
const maxFiles = 512;
/** Records are renewed several times a second; an older one says nothing any more. */
const staleNs = 2e9;
/** Who wants much renews them more often: one that is silent for longer may have been killed, and then it wants nothing. */
const silentNs = 0.3e9;
/** A clock that all share does not run ahead. */
const aheadNs = 1e9;
/** How often it is looked whether a silent process is still there: on some hosts that takes a program. */
const lookNs = 10e9;

// Names of virtual machines do not begin with a dot.
const shareFolder = (): string => join(socketsFolder(), '.shares');

export interface Peer {
  /** The name of its file: all sort by it. */
  readonly key: string;
  readonly record: ShareRecord;
}

/** What the monitors of this user tell of their virtual machines, by the numbers of their processes. */
export function liveShares(nowNs: number, folder = shareFolder()): ReadonlyMap<number, ShareRecord> {
  const read = filesIn(folder).flatMap((key) => readRecord(join(folder, key)) ?? []);
  return new Map(read.filter((record) => isFresh(record, nowNs)).map((record) => [record.pid, record]));
}

export class ShareBoard {
  readonly key: string;
  readonly #folder: string;
  #descriptor: number | undefined;
  #turn = 0;
  /** When the processes of files that say nothing were last looked for. */
  readonly #lookedAtNs = new Map<string, number>();

  /** Errors: `input`, the folder cannot be used. */
  static open(pid: number, folder = shareFolder()): Result<ShareBoard> {
    const parent = providePrivateFolder(join(folder, '..'));
    const made = parent.ok ? providePrivateFolder(folder) : parent;
    return made.ok ? ok(new ShareBoard(pid, folder)) : made;
  }

  private constructor(pid: number, folder: string) {
    this.#folder = folder;
    this.key = `${pid}-${randomBytes(4).toString('hex')}`;
  }

  /** Tells the others. What the file system refuses is tried again the next time. */
  publish(record: ShareRecord): void {
    try {
      this.#descriptor ??= openSync(join(this.#folder, this.key), 'wx', privateFileMode);
      writeSync(this.#descriptor, encodeRecord(record, this.#turn++), 0, 'latin1');
      if (fstatSync(this.#descriptor).nlink === 0) this.#closeFile();
    } catch {
      this.#closeFile();
      this.#remove(this.key);
    }
  }

  /** The others that have told something lately. */
  peers(nowNs: number): Peer[] {
    const found: Peer[] = [];
    for (const key of filesIn(this.#folder)) {
      const record = key === this.key ? undefined : readRecord(join(this.#folder, key));
      if (record === undefined) continue;
      if (!isFresh(record, nowNs)) this.#lookFor(key, record, nowNs);
      else if (nowNs - record.atNs < silentNs || isNumberInUse(record.pid)) found.push({ key, record });
    }
    return found;
  }

  close(): void {
    this.#closeFile();
    this.#remove(this.key);
  }

  /** Removes what a dead process has left; one that is stopped may go on. */
  #lookFor(key: string, record: ShareRecord, nowNs: number): void {
    if (nowNs - (this.#lookedAtNs.get(key) ?? Number.NEGATIVE_INFINITY) < lookNs) return;
    if (isAlive(record)) this.#lookedAtNs.set(key, nowNs);
    else this.#remove(key);
  }

  #closeFile(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #remove(key: string): void {
    try {
      unlinkSync(join(this.#folder, key));
    } catch {
      // Another was quicker.
    }
  }
}

const isFresh = ({ atNs }: ShareRecord, nowNs: number): boolean => nowNs - atNs < staleNs && atNs - nowNs < aheadNs;

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => fileName.test(name))
      .slice(0, maxFiles);
  } catch {
    return [];
  }
}

/** @returns undefined for anything but a regular file with a record; never waits for a writer of a pipe */
function readRecord(path: string): ShareRecord | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    if (!fstatSync(descriptor).isFile()) return undefined;
    const bytes = Buffer.alloc(recordBytes);
    const length = readSync(descriptor, bytes, 0, recordBytes, 0);
    return decodeRecord(bytes.toString('latin1', 0, length));
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
