/** How far something has come, on a terminal. */
const widthCharacters = 40;
const intervalMs = 100;

export class ProgressBar {
  readonly #stream: NodeJS.WriteStream;
  readonly #title: string;
  readonly #visible: boolean;
  #shownAtMs = Number.NEGATIVE_INFINITY;

  /** @param quiet shows nothing; neither does a stream that is no terminal */
  constructor(title: string, quiet: boolean, stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
    this.#title = title;
    this.#visible = stream.isTTY === true && !quiet;
  }

  /** @param part from 0 to 1 */
  readonly show = (part: number): void => {
    const nowMs = performance.now();
    if (!this.#visible || nowMs - this.#shownAtMs < intervalMs) return;
    this.#shownAtMs = nowMs;
    const filled = Math.round(part * widthCharacters);
    const bar = '='.repeat(filled).padEnd(widthCharacters);
    this.#stream.write(`\r${this.#title} [${bar}] ${(part * 100).toFixed(1).padStart(5)} %`);
  };

  /** Leaves the line as if nothing had been there. */
  clear(): void {
    if (this.#visible && this.#shownAtMs > 0) this.#stream.write('\r\x1b[K');
  }
}
