/** A set of cluster numbers: a bitmap that takes room only where there is something. */
export class ClusterSet {
  readonly #pages = new Map<number, Uint32Array>();

  has(cluster: number): boolean {
    const page = this.#pages.get(Math.floor(cluster / pageClusters));
    if (page === undefined) return false;
    const bit = cluster % pageClusters;
    return (((page[bit >>> 5] as number) >>> (bit & 31)) & 1) !== 0;
  }

  add(cluster: number): void {
    const key = Math.floor(cluster / pageClusters);
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = new Uint32Array(pageClusters / 32);
      this.#pages.set(key, page);
    }
    const bit = cluster % pageClusters;
    page[bit >>> 5] = (page[bit >>> 5] as number) | (1 << (bit & 31));
  }

  delete(cluster: number): void {
    const page = this.#pages.get(Math.floor(cluster / pageClusters));
    if (page === undefined) return;
    const bit = cluster % pageClusters;
    page[bit >>> 5] = (page[bit >>> 5] as number) & ~(1 << (bit & 31));
  }
}

const pageClusters = 8192;
