/** Writes a capture file; what it cannot write is counted, and holds nothing up. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { captureHeader } from '../../../net/capture.ts';
import { fail, ok, type Result } from '../../../support/result.ts';

const bufferBytes = 1 << 17;
/** A reader of the file waits no longer than this for what has passed. */
const flushMs = 100;

export class CaptureFile {
  readonly path: string;
  readonly #descriptor: number;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #end = 0;
  #timer: NodeJS.Timeout | undefined;
  #failure: string | undefined;

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
    this.write(captureHeader());
  }

  /** Makes the file, or empties it. */
  static open(path: string): Result<CaptureFile> {
    try {
      return ok(new CaptureFile(path, openSync(path, 'w')));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return fail('unavailable', `the capture file ${path} cannot be written (${code ?? message}).`);
    }
  }

  /** Takes a record of at most `bufferBytes`. @returns false when the file could not be written */
  write(record: Uint8Array): boolean {
    if (this.#end + record.length > bufferBytes) this.#flush();
    if (this.#failure !== undefined || record.length > bufferBytes) return false;
    this.#buffer.set(record, this.#end);
    this.#end += record.length;
    this.#timer ??= setTimeout(() => this.#flush(), flushMs).unref();
    return true;
  }

  /** @returns why the file is not complete, if it is not */
  close(): string | undefined {
    this.#flush();
    closeSync(this.#descriptor);
    return this.#failure;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      for (let at = 0; at < this.#end && this.#failure === undefined; ) {
        at += writeSync(this.#descriptor, this.#buffer, at, this.#end - at);
      }
    } catch (error) {
      this.#failure = (error as NodeJS.ErrnoException).code ?? String(error);
    }
    this.#end = 0;
  }
}
