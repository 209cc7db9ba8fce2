/** What a virtual machine's console has shown, in a file that does not grow for ever. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { privateFileMode } from './vm-folders.ts';

const maxFileBytes = 4 << 20;

export const consoleLogFile = (stateFolder: string): string => join(stateFolder, 'console.log');
/** Where a log goes on being kept when the next begins: together they are all that is kept. */
export const previousLogFile = (file: string): string => `${file}.1`;

export class ConsoleLog {
  readonly #path: string;
  readonly #maxFileBytes: number;
  #file: number | undefined;
  #length = 0;
  #closed = false;

  /** @param maxBytes of one file; the one before it is kept, too */
  constructor(path: string, maxBytes: number = maxFileBytes) {
    this.#path = path;
    this.#maxFileBytes = maxBytes;
    this.#attempt(() => this.#open());
  }

  /**
   * Appends. What cannot be written (a full disk) is left out: the guest goes on. Written at once, as it goes to the
   * system's page cache, and a queue would have to be bounded, too.
   */
  write(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0 && !this.#closed; ) {
      const piece = rest.subarray(0, this.#maxFileBytes);
      rest = rest.subarray(piece.length);
      this.#attempt(() => this.#append(piece));
    }
  }

  /** What comes afterwards is left out, too. */
  close(): void {
    this.#closed = true;
    this.#closeFile();
  }

  #closeFile(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #append(piece: Uint8Array): void {
    if (this.#length + piece.length > this.#maxFileBytes) {
      this.#closeFile();
      renameSync(this.#path, previousLogFile(this.#path));
    }
    if (this.#file === undefined) this.#open();
    if (this.#file === undefined) return;
    for (let at = 0; at < piece.length; ) {
      const written = writeSync(this.#file, piece, at);
      at += written;
      this.#length += written;
    }
  }

  #open(): void {
    this.#file = openSync(this.#path, 'a', privateFileMode);
    this.#length = fstatSync(this.#file).size;
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch {
      // Nobody to tell: the log is where it would be told.
    }
  }
}
