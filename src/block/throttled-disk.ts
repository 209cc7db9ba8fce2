/** A disk that does only so much a second. */
import type { Result } from '../support/result.ts';
import type { Bytes } from '../support/scattered-bytes.ts';
import type { Disk, Extent } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { readInto, writeFrom } from './scattered.ts';
import { TokenBucket } from './token-bucket.ts';

/** Time, as the host has it. */
export interface ThrottleClock {
  nowMs(): number;
  /** Resolves after that time, or somewhat later. */
  sleep(ms: number): Promise<void>;
}

export interface ThrottleLimits {
  /** Requests a second. */
  readonly iops?: number | undefined;
  /** Bytes a second, read and written together. */
  readonly bps?: number | undefined;
}

/** What may be done at once after a pause, in seconds of the limit. */
const burstSeconds = 0.1;

export class ThrottledDisk implements Disk {
  readonly takesScattered = true;
  readonly #disk: Disk;
  readonly #clock: ThrottleClock;
  readonly #requests: TokenBucket;
  readonly #bytes: TokenBucket;
  /** Who waits, waits behind who came before: small requests do not overtake a large one for ever. */
  #queue: Promise<void> | undefined;

  constructor(disk: Disk, limits: ThrottleLimits, clock: ThrottleClock) {
    const { iops = Number.POSITIVE_INFINITY, bps = Number.POSITIVE_INFINITY } = limits;
    this.#disk = disk;
    this.#clock = clock;
    const nowMs = clock.nowMs();
    this.#requests = new TokenBucket(iops, Math.max(1, iops * burstSeconds), nowMs);
    this.#bytes = new TokenBucket(bps, Math.max(1, bps * burstSeconds), nowMs);
  }

  get sizeBytes(): number {
    return this.#disk.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#disk.readOnly;
  }

  get blockBytes(): number {
    return this.#disk.blockBytes;
  }

  async read(offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
    await this.#admit(into.length);
    return readInto(this.#disk, offset, into);
  }

  async write(offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
    await this.#admit(from.length);
    return writeFrom(this.#disk, offset, from);
  }

  flush(): Promise<Result<void, DiskFailure>> {
    return this.#disk.flush();
  }

  async discard(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    await this.#admit(0);
    return this.#disk.discard(offset, length);
  }

  async writeZeroes(offset: number, length: number, unmap: boolean): Promise<Result<void, DiskFailure>> {
    await this.#admit(0);
    return this.#disk.writeZeroes(offset, length, unmap);
  }

  extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return this.#disk.extent(offset, length);
  }

  resize(sizeBytes: number): Promise<Result<void, DiskFailure>> {
    return this.#disk.resize(sizeBytes);
  }

  close(): Promise<Result<void, DiskFailure>> {
    return this.#disk.close();
  }

  #admit(bytes: number): Promise<void> | undefined {
    if (this.#queue === undefined && this.#waitMs(bytes) === 0) {
      this.#take(bytes);
      return undefined;
    }
    const mine = (this.#queue ?? Promise.resolve()).then(async () => {
      for (let wait = this.#waitMs(bytes); wait > 0; wait = this.#waitMs(bytes)) await this.#clock.sleep(wait);
      this.#take(bytes);
      if (this.#queue === mine) this.#queue = undefined;
    });
    this.#queue = mine;
    return mine;
  }

  #waitMs(bytes: number): number {
    const nowMs = this.#clock.nowMs();
    return Math.max(this.#requests.waitMs(1, nowMs), this.#bytes.waitMs(bytes, nowMs));
  }

  #take(bytes: number): void {
    this.#requests.take(1);
    this.#bytes.take(bytes);
  }
}
