/** A number in emitted code that is not known yet when the code is emitted: it has a fixed width until it is filled in. */
import type { ByteWriter } from './byte-writer.ts';

interface Place {
  readonly out: ByteWriter;
  readonly at: number;
  readonly signed: boolean;
}

export class LateNumber {
  readonly #width: number;
  readonly #places: Place[] = [];

  /** @param width bytes of LEB128 that it takes, of seven bits each */
  constructor(width: number) {
    this.#width = width;
  }

  /** Appends room for the number to `out`. */
  reserve(out: ByteWriter, signed: boolean): void {
    this.#places.push({ out, at: out.length, signed });
    for (let n = 0; n < this.#width; n++) out.byte(0);
  }

  /** @throws RangeError if the number is wider than the room for it. */
  fill(value: number): void {
    const width = this.#width;
    const bits = width * 7;
    for (const { out, at, signed } of this.#places) {
      const [lowest, beyond] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1)] : [0, 2 ** bits];
      if (!(value >= lowest && value < beyond)) throw new RangeError(`no room for ${value} in ${width} bytes`);
      for (let n = 0; n < width; n++) {
        const more = n < width - 1 ? 0x80 : 0;
        out.overwrite(at + n, ((value >> (7 * n)) & 0x7f) | more);
      }
    }
  }
}
