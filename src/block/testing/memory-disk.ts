/** A disk in memory, for tests of what uses disks: it can be slow, fail, and be full. */
import { fail, ok, type Result } from '../../support/result.ts';
import type { Disk, Extent } from '../disk.ts';
import type { DiskFailure, DiskFailureKind } from '../disk-failure.ts';

type Outcome = Result<void, DiskFailure>;

export class MemoryDisk implements Disk {
  readonly bytes: Uint8Array;
  readonly readOnly: boolean;
  readonly blockBytes = 4096;
  /** What was asked, in order: `read 0+512`, `flush` … */
  readonly log: string[] = [];
  /** Requests under way, and the most there ever were. */
  active = 0;
  mostActive = 0;
  /** Fails the next requests so. */
  readonly failures: DiskFailureKind[] = [];
  /** Requests wait for this. */
  gate: Promise<void> = Promise.resolve();

  constructor(sizeBytes: number, readOnly = false) {
    this.bytes = new Uint8Array(sizeBytes);
    this.readOnly = readOnly;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(offset: number, into: Uint8Array): Promise<Outcome> {
    return this.#do('read', offset, into.length, () => into.set(this.bytes.subarray(offset, offset + into.length)));
  }

  write(offset: number, from: Uint8Array): Promise<Outcome> {
    return this.#do('write', offset, from.length, () => this.bytes.set(from, offset));
  }

  flush(): Promise<Outcome> {
    return this.#do('flush', 0, 0, () => {});
  }

  discard(offset: number, length: number): Promise<Outcome> {
    return this.#do('discard', offset, length, () => {});
  }

  writeZeroes(offset: number, length: number, unmap: boolean): Promise<Outcome> {
    return this.#do(unmap ? 'unmap' : 'zero', offset, length, () => this.bytes.fill(0, offset, offset + length));
  }

  extent(_offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return Promise.resolve(ok({ kind: 'data', length }));
  }

  resize(): Promise<Outcome> {
    return Promise.resolve(fail('unsupported', 'no'));
  }

  close(): Promise<Outcome> {
    return Promise.resolve(ok(undefined));
  }

  async #do(what: string, offset: number, length: number, act: () => void): Promise<Outcome> {
    this.log.push(what === 'flush' ? what : `${what} ${offset}+${length}`);
    this.active++;
    this.mostActive = Math.max(this.mostActive, this.active);
    await this.gate;
    this.active--;
    const failure = this.failures.shift();
    if (failure !== undefined) return fail(failure, failure);
    if (offset + length > this.bytes.length) return fail('range', 'range');
    act();
    return ok(undefined);
  }
}
