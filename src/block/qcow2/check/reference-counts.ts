/** How often each cluster is referred to: two bytes a cluster, where there is any at all. */
export class ReferenceCounts {
  readonly #pages = new Map<number, Uint16Array>();
  /** What a page has no room for. */
  readonly #large = new Map<number, number>();

  get(cluster: number): number {
    const count = this.#pages.get(Math.floor(cluster / pageClusters))?.[cluster % pageClusters] ?? 0;
    return count === full ? (this.#large.get(cluster) ?? full) : count;
  }

  add(cluster: number): void {
    this.set(cluster, this.get(cluster) + 1);
  }

  set(cluster: number, count: number): void {
    const key = Math.floor(cluster / pageClusters);
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = new Uint16Array(pageClusters);
      this.#pages.set(key, page);
    }
    page[cluster % pageClusters] = Math.min(count, full);
    if (count >= full) this.#large.set(cluster, count);
    else this.#large.delete(cluster);
  }

  /** Clusters with a count above zero, in no order. */
  *clusters(): Iterable<number> {
    for (const [key, page] of this.#pages) {
      for (let index = 0; index < pageClusters; index++) if (page[index] !== 0) yield key * pageClusters + index;
    }
  }
}

const pageClusters = 8192;
const full = 0xffff;
