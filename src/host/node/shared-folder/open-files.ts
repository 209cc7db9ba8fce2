/** Files and directories of a shared folder that a guest has opened. */
import { type BigIntStats, constants, type Dir } from 'node:fs';
import {
  type Attributes,
  type DirectoryEntry,
  type OpenDirectory,
  type OpenFile,
  type OpenMode,
  type Outcome,
  refuse,
} from '../../../ninep/file-tree.ts';
import { linuxErrno } from '../../../spec/linux-errno.ts';
import { mapResult, ok } from '../../../support/result.ts';
import { kindOf } from './node-table.ts';
import { systemCalls } from './system-calls.ts';

export function attributesOf(stats: BigIntStats): Attributes {
  return {
    device: stats.dev,
    inode: stats.ino,
    kind: kindOf(stats),
    mode: Number(stats.mode),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    links: stats.nlink,
    deviceNumber: stats.rdev,
    sizeBytes: stats.size,
    blockBytes: stats.blksize,
    blocks: stats.blocks,
    accessTimeNs: stats.atimeNs,
    modifyTimeNs: stats.mtimeNs,
    changeTimeNs: stats.ctimeNs,
    birthTimeNs: stats.birthtimeNs,
  };
}

/** What open(2) takes. Nothing that is opened may become this process's terminal, or make it wait. */
export function openFlags(mode: OpenMode): number {
  const access = mode.read ? (mode.write ? constants.O_RDWR : constants.O_RDONLY) : constants.O_WRONLY;
  return (
    access |
    (mode.append ? constants.O_APPEND : 0) |
    (mode.truncate ? constants.O_TRUNC : 0) |
    (mode.sync === 'all' ? constants.O_SYNC : 0) |
    (mode.sync === 'data' ? constants.O_DSYNC : 0) |
    constants.O_NOCTTY |
    constants.O_NONBLOCK
  );
}

export function openFile(fd: number): OpenFile {
  return {
    read: async (offset, into) => {
      let total = 0;
      while (total < into.length) {
        const some = await systemCalls.read(fd, into.subarray(total), offset + total);
        if (!some.ok) return total > 0 ? ok(total) : some;
        if (some.value === 0) break;
        total += some.value;
      }
      return ok(total);
    },
    write: async (offset, from) => {
      let total = 0;
      while (total < from.length) {
        const some = await systemCalls.write(fd, from.subarray(total), offset + total);
        if (!some.ok) return total > 0 ? ok(total) : some;
        total += some.value;
      }
      return ok(total);
    },
    truncate: (sizeBytes) => systemCalls.resizeOpen(fd, sizeBytes),
    attributes: async () => mapResult(await systemCalls.statOpen(fd), attributesOf),
    sync: (dataOnly) => (dataOnly ? systemCalls.syncData(fd) : systemCalls.sync(fd)),
    close: () => systemCalls.close(fd),
  };
}

/** How many names all open directories of a folder may have in memory. */
export class NameBudget {
  #left = 1_048_576;

  /** @returns false when there are none left */
  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  giveBack(names: number): void {
    this.#left += names;
  }
}

/** Keeps the names it has read, so that their numbers stay the same while the directory changes. */
export class HostDirectory implements OpenDirectory {
  readonly #fd: number;
  readonly #path: string;
  readonly #budget: NameBudget;
  #stream: Dir | undefined;
  #names: string[] = [];
  #atEnd = false;
  /** Requests take turns: they share the stream. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param path leads to the directory as long as `fd` is open */
  constructor(fd: number, path: string, budget: NameBudget) {
    this.#fd = fd;
    this.#path = path;
    this.#budget = budget;
  }

  entries(first: number, most: number): Promise<Outcome<readonly DirectoryEntry[]>> {
    const entries = this.#last.then(() => this.#entries(first, most));
    this.#last = entries;
    return entries;
  }

  sync(dataOnly: boolean): Promise<Outcome<void>> {
    return dataOnly ? systemCalls.syncData(this.#fd) : systemCalls.sync(this.#fd);
  }

  async close(): Promise<Outcome<void>> {
    await this.#last;
    await this.#rewind();
    return systemCalls.close(this.#fd);
  }

  async #entries(first: number, most: number): Promise<Outcome<readonly DirectoryEntry[]>> {
    if (first === 0) await this.#rewind();
    for (let from = first; ; from += most) {
      const filled = await this.#readNames(from + most);
      if (!filled.ok) return filled;
      const names = this.#names.slice(from, from + most);
      if (names.length === 0) return ok([]);
      const found = await Promise.all(names.map((name, i) => this.#entry(from + i, name)));
      const present = found.filter((entry) => entry !== undefined);
      if (present.length > 0) return ok(present);
    }
  }

  /** Undefined for what was unlinked since its name was read. */
  async #entry(number: number, name: string): Promise<DirectoryEntry | undefined> {
    const stats = await systemCalls.statEntry(`${this.#path}/${name}`);
    return stats.ok ? { number, name, attributes: attributesOf(stats.value) } : undefined;
  }

  async #readNames(count: number): Promise<Outcome<void>> {
    while (this.#names.length < count && !this.#atEnd) {
      if (this.#stream === undefined) {
        const stream = await systemCalls.openDirectory(this.#path);
        if (!stream.ok) return stream;
        this.#stream = stream.value;
      }
      const name = await systemCalls.readDirectory(this.#stream);
      if (!name.ok) return name;
      if (name.value === null) await this.#endStream();
      else if (!this.#budget.take()) return refuse(linuxErrno.ENOMEM);
      else this.#names.push(name.value);
    }
    return ok(undefined);
  }

  async #endStream(): Promise<void> {
    this.#atEnd = true;
    if (this.#stream !== undefined) await systemCalls.closeDirectory(this.#stream);
    this.#stream = undefined;
  }

  async #rewind(): Promise<void> {
    await this.#endStream();
    this.#atEnd = false;
    this.#budget.giveBack(this.#names.length);
    this.#names = [];
  }
}
