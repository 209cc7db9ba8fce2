/** A record of guest RAM bytes before and after a stretch of execution, so that it can be compared and undone. */
import type { GuestMemory } from '../../memory/guest-memory.ts';

export interface LoggedByte {
  readonly before: number;
  after: number;
}

export class WriteLog {
  readonly #memory: GuestMemory;
  readonly #changed: () => void;
  #bytes = new Map<number, { before: number; after: number }>();
  active = false;
  /** A device was accessed. */
  device = false;
  /** A page with decoded code was written. */
  code = false;

  /** @param changed told when it begins or ends to be active */
  constructor(memory: GuestMemory, changed: () => void) {
    this.#memory = memory;
    this.#changed = changed;
  }

  start(): void {
    this.active = true;
    this.device = false;
    this.code = false;
    this.#bytes = new Map();
    this.#changed();
  }

  /** Before RAM at `offset` changes. */
  note(offset: number, length: number): void {
    if (this.#memory.users.holdsCode(offset >>> 12)) this.code = true;
    for (let n = offset; n < offset + length; n++) {
      if (!this.#bytes.has(n)) this.#bytes.set(n, { before: this.#memory.bytes[n] as number, after: 0 });
    }
  }

  /** @returns what changed, by RAM offset. */
  stop(): ReadonlyMap<number, LoggedByte> {
    this.active = false;
    this.#changed();
    for (const [offset, entry] of this.#bytes) entry.after = this.#memory.bytes[offset] as number;
    return this.#bytes;
  }

  undo(changes: ReadonlyMap<number, LoggedByte>): void {
    for (const [offset, { before }] of changes) this.#memory.bytes[offset] = before;
  }
}
