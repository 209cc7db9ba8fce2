/** A file in memory that can tell what would be left of it if the power failed now. */
import { ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { Extent } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

interface Change {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What a medium writes in one piece. */
const atomicBytes = 512;

export class PowerLossFile implements BlockFile {
  readonly name = 'image';
  readonly readOnly = false;
  #bytes = new Uint8Array(0);
  /** What is on the medium for sure. */
  #durable = new Uint8Array(0);
  /** What has been written since, in the order of being done. */
  #changes: Change[] = [];
  readonly #pause: () => Promise<void>;

  /** @param pause what every call awaits: so that their order is not always the same */
  constructor(pause: () => Promise<void>) {
    this.#pause = pause;
  }

  /**
   * A file as the medium may have it: what was flushed, and of the rest each sector or not.
   * @param keeps decides about one sector
   */
  afterPowerLoss(keeps: () => boolean): Uint8Array {
    const left = grown(this.#durable, this.#bytes.length).slice();
    for (const { offset, bytes } of this.#changes) {
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + atomicBytes - ((offset + at) % atomicBytes));
        if (keeps()) left.set(bytes.subarray(at, end), offset + at);
        at = end;
      }
    }
    return left;
  }

  async size(): Promise<Result<number, DiskFailure>> {
    return ok(this.#bytes.length);
  }

  async read(offset: number, into: Uint8Array): Promise<Result<void, DiskFailure>> {
    await this.#pause();
    into.fill(0);
    into.set(this.#bytes.subarray(offset, offset + into.length));
    return ok(undefined);
  }

  async write(offset: number, from: Uint8Array): Promise<Result<void, DiskFailure>> {
    await this.#pause();
    this.#change(offset, from.slice());
    await this.#pause();
    return ok(undefined);
  }

  async flush(): Promise<Result<void, DiskFailure>> {
    // What was done before; what is done meanwhile may be left out.
    const changes = this.#changes.slice();
    await this.#pause();
    for (const { offset, bytes } of changes) {
      this.#durable = grown(this.#durable, offset + bytes.length);
      this.#durable.set(bytes, offset);
    }
    this.#changes = this.#changes.filter((change) => !changes.includes(change));
    return ok(undefined);
  }

  async truncate(): Promise<Result<void, DiskFailure>> {
    throw new Error('no image is cut off here');
  }

  async punchHole(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    const inside = Math.min(length, this.#bytes.length - offset);
    if (inside > 0) this.#change(offset, new Uint8Array(inside));
    return ok(undefined);
  }

  async extent(_offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return ok({ kind: 'data', length });
  }

  async close(): Promise<Result<void, DiskFailure>> {
    return ok(undefined);
  }

  #change(offset: number, bytes: Uint8Array): void {
    this.#bytes = grown(this.#bytes, offset + bytes.length);
    this.#bytes.set(bytes, offset);
    this.#changes.push({ offset, bytes });
  }
}

function grown(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (bytes.length >= length) return bytes;
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}
