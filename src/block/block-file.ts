/** What image formats ask of the place where their bytes lie; `host` implements it for files. */
import type { Result } from '../support/result.ts';
import type { Extent } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';

/** Many requests may be under way at once. Offsets and lengths are bytes. */
export interface BlockFile {
  /** What messages call it: a path. */
  readonly name: string;
  readonly readOnly: boolean;
  /** See `scattered.ts`. */
  readonly takesScattered?: true;
  size(): Promise<Result<number, DiskFailure>>;
  /** Fills `into`; bytes beyond the end of the file read as zeroes. */
  read(offset: number, into: Uint8Array): Promise<Result<void, DiskFailure>>;
  /** Grows the file where it has to. */
  write(offset: number, from: Uint8Array): Promise<Result<void, DiskFailure>>;
  /** fdatasync: resolves when all that was written is on stable storage. */
  flush(): Promise<Result<void, DiskFailure>>;
  truncate(sizeBytes: number): Promise<Result<void, DiskFailure>>;
  /** The range reads as zeroes afterwards, and takes no room where the host can do that. */
  punchHole(offset: number, length: number): Promise<Result<void, DiskFailure>>;
  /** `data` or `hole`; a host that does not know says `data`. */
  extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>>;
  close(): Promise<Result<void, DiskFailure>>;
}

/** Opens further files, as backing chains and multi-file images need them. */
export interface BlockFiles {
  /**
   * Opens `path`, relative to the folder of `relativeTo` if that is given, and locks it (`in-use` if another process
   * has it): a reader against writers, a writer against everybody.
   */
  open(path: string, access: 'read' | 'write', relativeTo?: string): Promise<Result<BlockFile, DiskFailure>>;
}

/** Compression of clusters. `inflate` is raw DEFLATE (RFC 1951). Input that is malformed fails with `corrupt`. */
export interface Codecs {
  inflate(bytes: Uint8Array, outputBytes: number): Promise<Result<Uint8Array, DiskFailure>>;
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  zstdDecompress(bytes: Uint8Array, outputBytes: number): Promise<Result<Uint8Array, DiskFailure>>;
  zstdCompress(bytes: Uint8Array): Promise<Uint8Array>;
}
