/** L2 tables to write to: made where there is none, copied where a snapshot shares them. */
import { ok, type Result } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { Qcow2Image } from './image.ts';

export class OwnTables {
  readonly #image: Qcow2Image;
  /** By index in the L1 table. */
  readonly #underWay = new Map<number, Promise<Result<void, DiskFailure>>>();

  constructor(image: Qcow2Image) {
    this.#image = image;
  }

  /** Resolves once the L2 table for that offset is this image's alone. */
  async ensure(offset: number): Promise<Result<void, DiskFailure>> {
    const { map, geometry } = this.#image;
    const index = Math.floor(offset / geometry.l2CoverageBytes);
    const table = map.tableAt(offset);
    if (!table.ok) return table;
    if (table.value !== 0 && map.l1.isOwn(index)) return ok(undefined);
    let making = this.#underWay.get(index);
    if (making === undefined) {
      making = this.#make(index, table.value).finally(() => this.#underWay.delete(index));
      this.#underWay.set(index, making);
    }
    return making;
  }

  /** The new table is in the file before anything names it; readers use the old one until then. */
  async #make(index: number, old: number): Promise<Result<void, DiskFailure>> {
    const { map, file, geometry, writable } = this.#image;
    const { clusterBytes } = geometry;
    const place = await writable.refcounts.allocate(1, true);
    if (!place.ok) return place;
    const { offset } = place.value;
    const bytes = new Uint8Array(clusterBytes);
    const read = old === 0 ? ok(undefined) : await file.read(old, bytes);
    map.cache.forget(offset, offset + clusterBytes);
    const written = read.ok ? await file.write(offset, bytes) : read;
    if (!written.ok) {
      await writable.refcounts.change(offset, clusterBytes, -1);
      return written;
    }
    map.l1.set(index, offset, true);
    writable.regions.addL2Table(offset);
    if (old === 0) return ok(undefined);
    writable.regions.removeL2Table(old);
    writable.freed.add(old, clusterBytes);
    return ok(undefined);
  }
}
