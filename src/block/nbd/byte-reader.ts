import { fail, ok, type Result } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { ByteStream } from './byte-stream.ts';

/** Reads exact numbers of bytes from a stream. */
export class ByteReader {
  readonly #stream: ByteStream;
  /** What has come and was not asked for yet. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** Fills `target`; the end of the stream before that is a failure. */
  async fill(target: Uint8Array): Promise<Result<void, DiskFailure>> {
    for (let filled = 0; filled < target.length; ) {
      if (this.#rest.length === 0) {
        const read = await this.#stream.read();
        if (!read.ok) return read;
        if (read.value === undefined) return fail('io', 'the server closed the connection.');
        this.#rest = read.value;
      }
      const piece = this.#rest.subarray(0, target.length - filled);
      target.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    return ok(undefined);
  }

  async view(length: number): Promise<Result<DataView, DiskFailure>> {
    const bytes = new Uint8Array(length);
    const filled = await this.fill(bytes);
    return filled.ok ? ok(new DataView(bytes.buffer)) : filled;
  }
}
