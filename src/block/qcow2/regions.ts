/** Where an image's own tables lie, so that no guest data is ever written over them, whatever a damaged table says. */
import { ClusterSet } from './cluster-set.ts';

export interface Region {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

export class MetadataRegions {
  readonly #clusterBytes: number;
  /** Header, L1 tables, refcount table, snapshot table: a handful. */
  #regions: readonly Region[] = [];
  readonly #l2Tables = new ClusterSet();
  readonly #refcountBlocks = new ClusterSet();

  constructor(clusterBytes: number) {
    this.#clusterBytes = clusterBytes;
  }

  setRegion(name: string, offset: number, length: number): void {
    this.setRegions(name, [{ offset, length }]);
  }

  /** Replaces those of that name. */
  setRegions(name: string, places: readonly { readonly offset: number; readonly length: number }[]): void {
    const others = this.#regions.filter((region) => region.name !== name);
    this.#regions = [...others, ...places.filter(({ length }) => length > 0).map((place) => ({ name, ...place }))];
  }

  addL2Table(offset: number): void {
    this.#l2Tables.add(offset / this.#clusterBytes);
  }

  removeL2Table(offset: number): void {
    this.#l2Tables.delete(offset / this.#clusterBytes);
  }

  addRefcountBlock(offset: number): void {
    this.#refcountBlocks.add(offset / this.#clusterBytes);
  }

  /** What lies in a range of whole clusters. @returns its name, for the message */
  find(offset: number, length: number): string | undefined {
    for (const region of this.#regions) {
      if (offset < region.offset + region.length && region.offset < offset + length) return region.name;
    }
    for (let at = offset; at < offset + length; at += this.#clusterBytes) {
      const cluster = at / this.#clusterBytes;
      if (this.#l2Tables.has(cluster)) return 'an L2 table';
      if (this.#refcountBlocks.has(cluster)) return 'a refcount block';
    }
    return undefined;
  }
}
