/** Which station was last seen on which port of which VLAN; bounded, and forgetful. IEEE 802.1Q 8.8. */
import { read16, read32 } from '../frame/bytes.ts';

const sets = 512;
const ways = 4;
const entries = sets * ways;
/** IEEE 802.1Q table 8-6. */
const ageingMs = 300_000;

export class MacTable {
  readonly #low = new Uint32Array(entries);
  /** VLAN in the upper half, the first two bytes of the address in the lower. */
  readonly #high = new Uint32Array(entries);
  /** Port number and one; 0: free. */
  readonly #port = new Uint16Array(entries);
  readonly #seenMs = new Float64Array(entries);

  /** Notes that the station whose address lies at `at` is behind `port`. When there is no room, the oldest goes. */
  learn(frame: Uint8Array, at: number, vlan: number, port: number, nowMs: number): void {
    const high = ((vlan << 16) | read16(frame, at)) >>> 0;
    const low = read32(frame, at + 2);
    const set = setOf(high, low);
    let place = set;
    for (let i = set; i < set + ways; i++) {
      if (this.#port[i] !== 0 && this.#low[i] === low && this.#high[i] === high) {
        place = i;
        break;
      }
      if (this.#age(i) < this.#age(place)) place = i;
    }
    this.#low[place] = low;
    this.#high[place] = high;
    this.#port[place] = port + 1;
    this.#seenMs[place] = nowMs;
  }

  /** @returns the port, or -1 when nobody knows */
  find(frame: Uint8Array, at: number, vlan: number, nowMs: number): number {
    const high = ((vlan << 16) | read16(frame, at)) >>> 0;
    const low = read32(frame, at + 2);
    const set = setOf(high, low);
    for (let i = set; i < set + ways; i++) {
      if (this.#port[i] === 0 || this.#low[i] !== low || this.#high[i] !== high) continue;
      if (nowMs - (this.#seenMs[i] as number) > ageingMs) return -1;
      return (this.#port[i] as number) - 1;
    }
    return -1;
  }

  /** Nobody is behind `port` any more. */
  forget(port: number): void {
    for (let i = 0; i < entries; i++) if (this.#port[i] === port + 1) this.#port[i] = 0;
  }

  #age(place: number): number {
    return this.#port[place] === 0 ? Number.NEGATIVE_INFINITY : (this.#seenMs[place] as number);
  }
}

function setOf(high: number, low: number): number {
  const hash = Math.imul(low ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b);
  return ((hash >>> 16) & (sets - 1)) * ways;
}
