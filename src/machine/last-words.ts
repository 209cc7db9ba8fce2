/** What processors beyond the first leave behind when they die: their threads alone can describe them. */
import { decodeUtf8, encodeUtf8 } from '../support/utf8.ts';

/** For each processor a length and the text; a report has some 4 KiB. */
const lengthBytes = 4;
const boxBytes = 16_384;

export const allocateLastWords = (processors: number): SharedArrayBuffer =>
  new SharedArrayBuffer(processors * boxBytes);

export class LastWords {
  readonly #buffer: SharedArrayBuffer;

  constructor(buffer: SharedArrayBuffer) {
    this.#buffer = buffer;
  }

  /** @param text what is too long is cut */
  write(processor: number, text: string): void {
    const bytes = encodeUtf8(text).subarray(0, boxBytes - lengthBytes);
    new Uint8Array(this.#buffer, processor * boxBytes + lengthBytes).set(bytes);
    Atomics.store(this.#length(processor), 0, bytes.length);
  }

  /** Empty where nothing was left. */
  read(processor: number): string {
    const length = Atomics.load(this.#length(processor), 0);
    return decodeUtf8(new Uint8Array(this.#buffer, processor * boxBytes + lengthBytes, length)) ?? '';
  }

  #length(processor: number): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.#buffer, processor * boxBytes, 1);
  }
}
