import { ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';

const pageBytes = 64 * 1024;
const mostPages = 64;

/**
 * Reads the tables of an image piece by piece and keeps the pieces used last, so that memory does not depend on how
 * large an image says that its tables are.
 */
export class TableCache {
  readonly #file: BlockFile;
  /** By place in the file, least recently used first. */
  readonly #pages = new Map<number, Promise<Result<DataView, DiskFailure>>>();

  constructor(file: BlockFile) {
    this.#file = file;
  }

  /** @param at a multiple of 4 */
  async uint32(at: number, littleEndian = true): Promise<Result<number, DiskFailure>> {
    const page = await this.#page(at);
    return page.ok ? ok(page.value.getUint32(at % pageBytes, littleEndian)) : page;
  }

  /** @param at a multiple of 8 */
  async uint64(at: number): Promise<Result<bigint, DiskFailure>> {
    const page = await this.#page(at);
    return page.ok ? ok(page.value.getBigUint64(at % pageBytes, true)) : page;
  }

  #page(at: number): Promise<Result<DataView, DiskFailure>> {
    const start = at - (at % pageBytes);
    const page = this.#pages.get(start) ?? this.#load(start);
    this.#pages.delete(start);
    this.#pages.set(start, page);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > mostPages) this.#pages.delete(oldest as number);
    return page;
  }

  async #load(start: number): Promise<Result<DataView, DiskFailure>> {
    const bytes = new Uint8Array(pageBytes);
    const read = await this.#file.read(start, bytes);
    if (read.ok) return ok(new DataView(bytes.buffer));
    this.#pages.delete(start);
    return read;
  }
}
