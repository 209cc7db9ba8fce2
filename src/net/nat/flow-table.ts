/** What a NAT knows flows by: the guest's end and the other end. */

export interface FlowKey {
  readonly guestAddress: number;
  readonly guestPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
}

const bucketCount = 1024;

/** A hash table that makes no garbage when it is asked. */
export class FlowTable<T extends FlowKey> {
  readonly #buckets: T[][] = Array.from({ length: bucketCount }, () => []);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(guestAddress: number, guestPort: number, remoteAddress: number, remotePort: number): T | undefined {
    const bucket = this.#bucket(guestAddress, guestPort, remoteAddress, remotePort);
    for (const flow of bucket) {
      if (
        flow.guestPort === guestPort &&
        flow.remotePort === remotePort &&
        flow.remoteAddress === remoteAddress &&
        flow.guestAddress === guestAddress
      ) {
        return flow;
      }
    }
    return undefined;
  }

  add(flow: T): void {
    this.#bucketOf(flow).push(flow);
    this.#size++;
  }

  remove(flow: T): void {
    const bucket = this.#bucketOf(flow);
    const at = bucket.indexOf(flow);
    if (at < 0) return;
    bucket.splice(at, 1);
    this.#size--;
  }

  /** All flows as they are now; removing them meanwhile does no harm. */
  all(): T[] {
    return this.#buckets.flat();
  }

  #bucketOf(flow: FlowKey): T[] {
    return this.#bucket(flow.guestAddress, flow.guestPort, flow.remoteAddress, flow.remotePort);
  }

  #bucket(guestAddress: number, guestPort: number, remoteAddress: number, remotePort: number): T[] {
    const mixed = Math.imul(guestAddress ^ Math.imul(remoteAddress, 0x9e37_79b1), 0x85eb_ca6b);
    const hash = Math.imul(mixed ^ (guestPort << 16) ^ remotePort, 0xc2b2_ae35);
    return this.#buckets[(hash >>> 16) & (bucketCount - 1)] as T[];
  }
}
