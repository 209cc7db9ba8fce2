/** The first level of the cluster mapping, in memory as a whole. */
import { qcow2EntryHigh } from '../../spec/qcow2.ts';
import { ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { DirtySource, PendingWrite } from './commit.ts';
import { entryOffset } from './entry.ts';
import { viewOf } from './header.ts';

/** What is written at once around a changed entry. */
const pieceBytes = 512;

export class L1Table implements DirtySource {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #dirty = new Set<number>();

  /** @param bytes becomes the table's own */
  constructor(offset: number, bytes: Uint8Array) {
    this.offset = offset;
    this.bytes = bytes;
    this.#view = viewOf(bytes);
  }

  static async load(file: BlockFile, offset: number, entries: number): Promise<Result<L1Table, DiskFailure>> {
    const bytes = new Uint8Array(entries * 8);
    const read = await file.read(offset, bytes);
    return read.ok ? ok(new L1Table(offset, bytes)) : read;
  }

  get entries(): number {
    return this.bytes.length / 8;
  }

  /** Where the L2 table lies; 0 if there is none. */
  tableOffset(index: number): number {
    return entryOffset(this.#view.getUint32(index * 8), this.#view.getUint32(index * 8 + 4));
  }

  /** Whether the L2 table is this image's alone. */
  isOwn(index: number): boolean {
    return (this.#view.getUint32(index * 8) & qcow2EntryHigh.copied) !== 0;
  }

  set(index: number, tableOffset: number, own: boolean): void {
    const high = Math.floor(tableOffset / 2 ** 32) + (own ? qcow2EntryHigh.copied : 0);
    this.#view.setUint32(index * 8, high);
    this.#view.setUint32(index * 8 + 4, tableOffset % 2 ** 32);
    this.#dirty.add(Math.floor((index * 8) / pieceBytes));
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  takeDirty(): PendingWrite[] {
    const writes = [...this.#dirty].map((piece): PendingWrite => {
      const start = piece * pieceBytes;
      return {
        offset: this.offset + start,
        bytes: this.bytes.slice(start, start + pieceBytes),
        settle: (written) => {
          if (!written) this.#dirty.add(piece);
        },
      };
    });
    this.#dirty.clear();
    return writes;
  }
}
