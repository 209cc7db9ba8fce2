/** A file in memory, for tests: it counts what is asked of it and can fail on demand. */
import { fail, ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { Extent } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

export type MemoryFileCall = 'read' | 'write' | 'flush' | 'truncate' | 'punchHole';

export class MemoryFile implements BlockFile {
  readonly name: string;
  readonly readOnly: boolean;
  readonly calls: { readonly call: MemoryFileCall; readonly offset: number; readonly length: number }[] = [];
  /** Asked before each call; a failure that it returns is the call's. */
  onCall: (call: MemoryFileCall, offset: number, length: number) => DiskFailure | undefined = () => undefined;
  closed = false;
  #bytes: Uint8Array;
  #size: number;

  constructor(name: string, content: Uint8Array = new Uint8Array(0), readOnly = false) {
    this.name = name;
    this.readOnly = readOnly;
    this.#bytes = content.slice();
    this.#size = content.length;
  }

  /** A copy of the content. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  async size(): Promise<Result<number, DiskFailure>> {
    return ok(this.#size);
  }

  async read(offset: number, into: Uint8Array): Promise<Result<void, DiskFailure>> {
    const failed = await this.#begin('read', offset, into.length);
    if (failed !== undefined) return { ok: false, error: failed };
    into.fill(0);
    if (offset < this.#size) into.set(this.#bytes.subarray(offset, Math.min(this.#size, offset + into.length)));
    return ok(undefined);
  }

  async write(offset: number, from: Uint8Array): Promise<Result<void, DiskFailure>> {
    if (this.readOnly) return fail('read-only', 'it is read-only.');
    const failed = await this.#begin('write', offset, from.length);
    if (failed !== undefined) return { ok: false, error: failed };
    this.#reserve(offset + from.length);
    this.#bytes.set(from, offset);
    this.#size = Math.max(this.#size, offset + from.length);
    return ok(undefined);
  }

  async flush(): Promise<Result<void, DiskFailure>> {
    const failed = await this.#begin('flush', 0, 0);
    return failed === undefined ? ok(undefined) : { ok: false, error: failed };
  }

  async truncate(sizeBytes: number): Promise<Result<void, DiskFailure>> {
    const failed = await this.#begin('truncate', sizeBytes, 0);
    if (failed !== undefined) return { ok: false, error: failed };
    this.#reserve(sizeBytes);
    this.#bytes.fill(0, Math.min(sizeBytes, this.#size));
    this.#size = sizeBytes;
    return ok(undefined);
  }

  async punchHole(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    const failed = await this.#begin('punchHole', offset, length);
    if (failed !== undefined) return { ok: false, error: failed };
    this.#bytes.fill(0, offset, Math.min(this.#size, offset + length));
    return ok(undefined);
  }

  async extent(_offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return ok({ kind: 'data', length });
  }

  async close(): Promise<Result<void, DiskFailure>> {
    this.closed = true;
    return ok(undefined);
  }

  async #begin(call: MemoryFileCall, offset: number, length: number): Promise<DiskFailure | undefined> {
    this.calls.push({ call, offset, length });
    await Promise.resolve();
    return this.onCall(call, offset, length);
  }

  #reserve(sizeBytes: number): void {
    if (sizeBytes <= this.#bytes.length) return;
    if (sizeBytes > 2 ** 28) throw new Error(`a write at ${sizeBytes}: outside of anything a test has`);
    const grown = new Uint8Array(Math.max(sizeBytes, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}
