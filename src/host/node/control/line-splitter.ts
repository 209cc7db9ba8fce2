const newline = 0x0a;

/** Cuts a stream of bytes into lines of UTF-8, of which none may be longer than a bound. */
export class LineSplitter {
  readonly #maxBytes: number;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that end in `bytes`; undefined when one is too long, after which there is no going on. */
  push(bytes: Uint8Array): string[] | undefined {
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      const line = Buffer.concat([this.#rest, bytes.subarray(start, end)]);
      if (line.length > this.#maxBytes) return undefined;
      this.#rest = new Uint8Array(0);
      // Malformed UTF-8 becomes replacement characters, which no name in a protocol has.
      lines.push(line.toString('utf8'));
      start = end + 1;
    }
    this.#rest = Buffer.concat([this.#rest, bytes.subarray(start)]);
    return this.#rest.length > this.#maxBytes ? undefined : lines;
  }
}
