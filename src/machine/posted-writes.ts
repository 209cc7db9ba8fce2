/**
 * Bytes that processors other than the first write to ports without waiting until the board, which is on the first one's thread, has
 * them: what a console prints. A ring for each processor. Whoever looks at the board has these writes done before, so that nobody can
 * tell them from others; only ports belong here at which a write changes nothing else that a guest could see.
 */
import { uartBase, uartRegister } from '../spec/pc/uart.ts';

/** Words of a ring: how many were written and read so far, then the entries: port and byte. */
const word = { written: 0, read: 1, entries: 2 } as const;
/** A power of two. */
const capacity = 64;
const ringWords = word.entries + capacity;

const ports: ReadonlySet<number> = new Set([uartBase.com1 + uartRegister.data, uartBase.com2 + uartRegister.data]);

export const allocatePostedWrites = (processors: number): SharedArrayBuffer =>
  new SharedArrayBuffer(processors * ringWords * 4);

/** One processor's ring; one thread posts, another one takes. */
export class PostedWrites {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #wake: () => void;

  /** @param wake makes the thread look that takes */
  constructor(buffer: SharedArrayBuffer, processor: number, wake: () => void = () => {}) {
    this.#words = new Int32Array(buffer, processor * ringWords * 4, ringWords);
    this.#wake = wake;
  }

  /** @returns whether the byte will be written; if not, the guest has to wait for it */
  post(port: number, value: number): boolean {
    const words = this.#words;
    const written = words[word.written] as number;
    if (!ports.has(port) || ((written - Atomics.load(words, word.read)) | 0) >= capacity) return false;
    words[word.entries + (written & (capacity - 1))] = (port << 8) | (value & 0xff);
    Atomics.store(words, word.written, (written + 1) | 0);
    // Who takes looks whether there is more after each byte: either it sees this one, or it is seen to have taken all before.
    if (Atomics.load(words, word.read) === written) this.#wake();
    return true;
  }

  get waiting(): boolean {
    return Atomics.load(this.#words, word.written) !== Atomics.load(this.#words, word.read);
  }

  take(write: (port: number, value: number) => void): void {
    const words = this.#words;
    for (let read = words[word.read] as number; read !== Atomics.load(words, word.written); ) {
      const entry = words[word.entries + (read & (capacity - 1))] as number;
      write(entry >>> 8, entry & 0xff);
      read = (read + 1) | 0;
      Atomics.store(words, word.read, read);
    }
  }
}
