/**
 * What the server asks of the place where the files are; `host` implements it for a folder. All of it fails with an
 * error number of Linux (`spec/linux-errno.ts`). Names and link targets are byte strings: a character is a byte.
 *
 * An implementation never follows a symbolic link, and `name` is always that of one entry: the server has refused
 * anything with a slash, `.` and `..` before.
 */
import type { Err, Result } from '../support/result.ts';

export type Outcome<T> = Result<T, number>;

export function refuse(errno: number): Err<number> {
  return { ok: false, error: errno };
}

export type NodeKind = 'directory' | 'file' | 'symlink' | 'other';

/** A file or directory that a client has found. It stays the same one when it is renamed, and when it is unlinked. */
export interface FileNode {
  readonly kind: NodeKind;
}

export interface Attributes {
  /** Which file system and which file in it. */
  readonly device: bigint;
  readonly inode: bigint;
  readonly kind: NodeKind;
  /** Type and permissions, as Linux has them in `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: bigint;
  /** Which device a device file stands for. */
  readonly deviceNumber: bigint;
  readonly sizeBytes: bigint;
  readonly blockBytes: bigint;
  /** Of 512 bytes. */
  readonly blocks: bigint;
  /** Times are nanoseconds since 1970. */
  readonly accessTimeNs: bigint;
  readonly modifyTimeNs: bigint;
  readonly changeTimeNs: bigint;
  readonly birthTimeNs: bigint;
}

export interface Found {
  readonly node: FileNode;
  readonly attributes: Attributes;
}

/** What is not given stays as it is. */
export interface AttributeChanges {
  /** Permission bits alone. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: bigint;
  /** Nanoseconds since 1970, or the current time. */
  readonly accessTimeNs?: bigint | 'now';
  readonly modifyTimeNs?: bigint | 'now';
}

export interface OpenMode {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly truncate: boolean;
  /** Writes return when they are on stable storage: `data`, or its metadata as well. */
  readonly sync: 'none' | 'data' | 'all';
}

/** Offsets are bytes, and below 2^53. */
export interface OpenFile {
  /** @returns how many bytes were read; fewer than asked for only at the end of the file */
  read(offset: number, into: Uint8Array): Promise<Outcome<number>>;
  /** @returns how many bytes were written; fewer than given when the host failed after them */
  write(offset: number, from: Uint8Array): Promise<Outcome<number>>;
  truncate(sizeBytes: number): Promise<Outcome<void>>;
  attributes(): Promise<Outcome<Attributes>>;
  sync(dataOnly: boolean): Promise<Outcome<void>>;
  close(): Promise<Outcome<void>>;
}

export interface DirectoryEntry {
  /** Where in the directory it is; entries that have vanished leave gaps. */
  readonly number: number;
  readonly name: string;
  readonly attributes: Attributes;
}

export interface OpenDirectory {
  /**
   * At most `most` entries from number `first` on, without `.` and `..`; none at the end. Number 0 looks at the
   * directory anew.
   */
  entries(first: number, most: number): Promise<Outcome<readonly DirectoryEntry[]>>;
  sync(dataOnly: boolean): Promise<Outcome<void>>;
  close(): Promise<Outcome<void>>;
}

export interface Capacity {
  readonly blockBytes: number;
  readonly blocks: bigint;
  readonly freeBlocks: bigint;
  readonly availableBlocks: bigint;
  readonly files: bigint;
  readonly freeFiles: bigint;
}

/** Where a node hangs. */
export interface Place {
  readonly directory: FileNode;
  readonly name: string;
}

/**
 * Nodes are counted: `root`, `lookup`, `create` and `parent` hand out a node that the caller gives back with `release`.
 */
export interface FileTree {
  root(): Promise<Outcome<Found>>;
  lookup(directory: FileNode, name: string): Promise<Outcome<Found>>;
  /** The directory a node was found in; the root is its own. */
  parent(node: FileNode): FileNode;
  /** Undefined for the root and for what was unlinked. */
  place(node: FileNode): Place | undefined;
  retain(node: FileNode): void;
  release(node: FileNode): void;

  attributes(node: FileNode): Promise<Outcome<Attributes>>;
  change(node: FileNode, changes: AttributeChanges): Promise<Outcome<void>>;
  readLink(node: FileNode): Promise<Outcome<string>>;
  capacity(node: FileNode): Promise<Outcome<Capacity>>;

  /** Files alone. */
  open(node: FileNode, mode: OpenMode): Promise<Outcome<OpenFile>>;
  openDirectory(node: FileNode): Promise<Outcome<OpenDirectory>>;
  /** `exclusive`: fails with EEXIST if the name is taken. */
  create(
    directory: FileNode,
    name: string,
    mode: OpenMode & { readonly exclusive: boolean },
    permissions: number,
  ): Promise<Outcome<Found & { readonly file: OpenFile }>>;
  makeDirectory(directory: FileNode, name: string, permissions: number): Promise<Outcome<Attributes>>;
  makeSymlink(directory: FileNode, name: string, target: string): Promise<Outcome<Attributes>>;
  link(node: FileNode, directory: FileNode, name: string): Promise<Outcome<void>>;
  rename(from: Place, to: Place): Promise<Outcome<void>>;
  remove(directory: FileNode, name: string, kind: 'file' | 'directory'): Promise<Outcome<void>>;
}
