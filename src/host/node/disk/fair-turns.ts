/** Lets the other work of a thread have its turn beside a stream of requests that are done at once. */

/** As many bytes are moved in a turn of the event loop, or as many requests of that weight each. */
const mostBytes = 4 << 20;
const requestBytes = 1 << 16;

export class FairTurns {
  #spent = 0;
  /** The next turn, as long as this one has had its share. */
  #next: Promise<void> | undefined;

  /** Counts a request. @returns what has to be awaited before it is done; undefined if nothing */
  enter(bytes: number): Promise<void> | undefined {
    if (this.#next !== undefined) return this.#wait(bytes);
    this.#spend(bytes);
    return undefined;
  }

  async #wait(bytes: number): Promise<void> {
    // Who has waited longer may have taken all of the turn.
    while (this.#next !== undefined) await this.#next;
    this.#spend(bytes);
  }

  #spend(bytes: number): void {
    this.#spent += bytes + requestBytes;
    if (this.#spent < mostBytes) return;
    this.#next = new Promise((resolve) => {
      setImmediate(() => {
        this.#spent = 0;
        this.#next = undefined;
        resolve();
      });
    });
  }
}
