/**
 * Locks on ranges of bytes. Shared holders of a range may overlap each other, an exclusive one overlaps nobody. Who
 * asked first and overlaps goes first, so that nobody waits for ever.
 */
export class RangeLocks {
  /** Held and waited for, in the order of asking. There are as many as requests under way: few. */
  readonly #locks: RangeLock[] = [];

  /** @returns the lock; it is held once `granted` is undefined or has resolved */
  acquire(start: number, end: number, exclusive: boolean): RangeLock {
    const lock = new RangeLock(start, end, exclusive);
    for (const other of this.#locks) if (lock.conflictsWith(other)) lock.waitFor();
    this.#locks.push(lock);
    return lock;
  }

  release(lock: RangeLock): void {
    const index = this.#locks.indexOf(lock);
    this.#locks.splice(index, 1);
    for (let i = index; i < this.#locks.length; i++) {
      const later = this.#locks[i] as RangeLock;
      if (later.conflictsWith(lock)) later.step();
    }
  }

  /** Makes a held exclusive lock a shared one: those who wait for nothing but that may go on. */
  share(lock: RangeLock): void {
    const index = this.#locks.indexOf(lock);
    for (let i = index + 1; i < this.#locks.length; i++) {
      const later = this.#locks[i] as RangeLock;
      if (!later.exclusive && later.conflictsWith(lock)) later.step();
    }
    lock.exclusive = false;
  }
}

export class RangeLock {
  readonly start: number;
  readonly end: number;
  exclusive: boolean;
  granted: Promise<void> | undefined;
  #before = 0;
  #grant: () => void = () => {};

  constructor(start: number, end: number, exclusive: boolean) {
    this.start = start;
    this.end = end;
    this.exclusive = exclusive;
  }

  conflictsWith(other: RangeLock): boolean {
    return (this.exclusive || other.exclusive) && this.start < other.end && other.start < this.end;
  }

  /** One more that has to go before. */
  waitFor(): void {
    this.#before++;
    this.granted ??= new Promise((resolve) => {
      this.#grant = resolve;
    });
  }

  /** One of those has gone. */
  step(): void {
    if (--this.#before === 0) this.#grant();
  }
}
