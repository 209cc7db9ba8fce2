import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';

/** Where bytes go, in order; `write` resolves when the next bytes may come. */
export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when everything written has left the process. */
  flush(): Promise<void>;
  /** Ends the use of it; what it writes to stays open. */
  release(): void;
}

export const nowhere: Output = { write: () => Promise.resolve(), flush: () => Promise.resolve(), release: () => {} };

/** @param onClosed called once when nobody takes the bytes any more (a closed pipe, a full disk) */
export function streamOutput(stream: Writable, onClosed: (error: Error) => void): Output {
  let closed = false;
  let last: Promise<void> = Promise.resolve();
  const onError = (error: Error): void => {
    if (!closed) onClosed(error);
    closed = true;
  };
  stream.on('error', onError);
  return {
    write: (bytes) => {
      if (closed) return Promise.resolve();
      last = new Promise((resolve) => stream.write(bytes, () => resolve()));
      return last;
    },
    flush: () => last,
    release: () => void stream.off('error', onError),
  };
}

export function fileOutput(path: string, onClosed: (error: Error) => void): Output {
  const stream = createWriteStream(path);
  return { ...streamOutput(stream, onClosed), release: () => void stream.end() };
}

/** Keeps the last bytes for a report. */
export class Tail implements Output {
  readonly #limit: number;
  #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    while (this.#length - (this.#pieces[0]?.length ?? 0) >= this.#limit) {
      this.#length -= this.#pieces.shift()?.length ?? 0;
    }
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  release(): void {}

  /** The last `count` lines, as text, or as many more as it takes to show the last one with `mark` in it. */
  lines(count: number, mark: string): string[] {
    const text = Buffer.concat(this.#pieces).subarray(-this.#limit).toString('utf8');
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
    const marked = lines.findLastIndex((line) => line.includes(mark));
    return lines.slice(marked < 0 ? -count : Math.min(marked, Math.max(0, lines.length - count)));
  }
}
