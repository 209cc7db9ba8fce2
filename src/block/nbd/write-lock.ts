/**
 * Writes of whole blocks share it; a write of part of a block, which reads the block first and writes it back, has it
 * alone. Otherwise it could take back what another write did to the rest of the block in between.
 */
export class WriteLock {
  #exclusive: Promise<unknown> = Promise.resolve();
  readonly #shared = new Set<Promise<unknown>>();

  shared<T>(run: () => Promise<T>): Promise<T> {
    const running = this.#exclusive.then(run);
    this.#shared.add(running);
    void running.then(() => this.#shared.delete(running));
    return running;
  }

  exclusive<T>(run: () => Promise<T>): Promise<T> {
    const running = Promise.all([this.#exclusive, ...this.#shared]).then(run);
    this.#exclusive = running;
    return running;
  }
}
