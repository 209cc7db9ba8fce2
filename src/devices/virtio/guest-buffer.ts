/** A stretch of bytes that lies in several places of guest RAM. The guest may change them at any time: read once. */

export class GuestBuffer {
  /** The places in order, none of them empty: views of RAM itself. */
  readonly pieces: readonly Uint8Array[];
  /** Bytes in all. */
  readonly length: number;

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** Copies from `offset` on into `into`. @returns how many bytes there were to copy */
  read(offset: number, into: Uint8Array): number {
    let done = 0;
    for (const piece of this.part(offset, into.length).pieces) {
      into.set(piece, done);
      done += piece.length;
    }
    return done;
  }

  /** A copy of `length` bytes from `offset` on; fewer where the buffer ends. */
  copy(offset = 0, length = this.length): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.length - offset)));
    this.read(offset, bytes);
    return bytes;
  }

  /** Copies `from` to `offset` on. @returns how many bytes had room */
  write(offset: number, from: Uint8Array): number {
    let done = 0;
    for (const piece of this.part(offset, from.length).pieces) {
      piece.set(from.subarray(done, done + piece.length));
      done += piece.length;
    }
    return done;
  }

  /** The bytes from `offset` on, at most `length`. */
  part(offset: number, length: number = this.length - offset): GuestBuffer {
    if (offset === 0 && length >= this.length) return this;
    const pieces: Uint8Array[] = [];
    let skip = offset;
    let rest = length;
    for (const piece of this.pieces) {
      if (rest <= 0) break;
      if (skip >= piece.length) {
        skip -= piece.length;
        continue;
      }
      const cut = piece.subarray(skip, skip + rest);
      skip = 0;
      rest -= cut.length;
      pieces.push(cut);
    }
    return new GuestBuffer(pieces);
  }
}
