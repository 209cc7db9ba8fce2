/** One line on the terminal that tells how far a long piece of work is; nothing where standard error is none. */
import { clearLine, cursorTo } from 'node:readline';

const barWidth = 24;
const spareColumns = 1;

export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #shown = '';

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  /** @param share how much of `what` is done, from 0 to 1; undefined where nobody knows */
  show(what: string, share?: number): void {
    if (!this.#stream.isTTY) return;
    const text = progressText(what, share).slice(0, Math.max(0, (this.#stream.columns ?? 80) - spareColumns));
    if (text === this.#shown) return;
    this.#shown = text;
    cursorTo(this.#stream, 0);
    this.#stream.write(text);
    clearLine(this.#stream, 1);
  }

  /** Takes the line away, before something else is written. */
  clear(): void {
    if (this.#shown === '') return;
    this.#shown = '';
    cursorTo(this.#stream, 0);
    clearLine(this.#stream, 1);
  }
}

/** The line without what it takes to show it. */
export function progressText(what: string, share?: number): string {
  if (share === undefined) return `corbel: ${what} …`;
  const whole = Math.max(0, Math.min(1, share));
  const filled = Math.floor(whole * barWidth);
  const bar = `${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}`;
  return `corbel: ${what} [${bar}] ${String(Math.floor(whole * 100)).padStart(3)} %`;
}
