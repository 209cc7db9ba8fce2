/** Which station has which address. Source: RFC 826; frames wait for an answer as in RFC 1122 2.3.2.2. */
import type { MacAddress } from '../frame/address.ts';
import type { Frame, Offload } from '../port.ts';

const maxNeighbours = 256;
const maxWaitingFrames = 16;
const askAgainAfterMs = 500;
/** What nobody has claimed by then is dropped. */
const waitMs = 3000;

interface WaitingFrame {
  readonly address: number;
  readonly frame: Uint8Array;
  readonly offload: Offload | undefined;
  readonly untilMs: number;
}

export class Neighbours {
  readonly #stations = new Map<number, Uint8Array>();
  readonly #askedMs = new Map<number, number>();
  #waiting: WaitingFrame[] = [];

  find(address: number): MacAddress | undefined {
    return this.#stations.get(address);
  }

  /** Notes where `address` is. */
  learn(address: number, mac: MacAddress): void {
    const known = this.#stations.get(address);
    if (known !== undefined) {
      known.set(mac);
      return;
    }
    if (this.#stations.size >= maxNeighbours) {
      const oldest = this.#stations.keys().next();
      if (!oldest.done) this.#stations.delete(oldest.value);
    }
    this.#stations.set(address, mac.slice());
    this.#askedMs.delete(address);
  }

  /** Keeps a copy of a frame until somebody claims `address`. @returns whether to ask for it now */
  wait(address: number, frame: Frame, offload: Offload | undefined, nowMs: number): boolean {
    this.#waiting = this.#waiting.filter(({ untilMs }) => untilMs > nowMs);
    if (this.#waiting.length >= maxWaitingFrames) this.#waiting.shift();
    const copy = offload === undefined ? undefined : { ...offload };
    this.#waiting.push({ address, frame: frame.slice(), offload: copy, untilMs: nowMs + waitMs });
    const asked = this.#askedMs.get(address);
    if (asked !== undefined && nowMs - asked < askAgainAfterMs) return false;
    if (this.#askedMs.size >= maxNeighbours) this.#askedMs.clear();
    this.#askedMs.set(address, nowMs);
    return true;
  }

  /** Takes out the frames that waited for `address`. */
  takeWaiting(address: number): readonly WaitingFrame[] {
    if (this.#waiting.length === 0) return [];
    const found = this.#waiting.filter((waiting) => waiting.address === address);
    if (found.length > 0) this.#waiting = this.#waiting.filter((waiting) => waiting.address !== address);
    return found;
  }
}
