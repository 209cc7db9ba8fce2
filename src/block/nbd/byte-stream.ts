import type { Result } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';

/** A connection to a server; `host` implements it for sockets. */
export interface ByteStream {
  /** The next bytes, as many as there are, or undefined at the end. One at a time. */
  read(): Promise<Result<Uint8Array | undefined, DiskFailure>>;
  /** Bytes go out in the order of the calls; the caller leaves them alone until this has resolved. */
  write(bytes: Uint8Array): Promise<Result<void, DiskFailure>>;
  /** Ends the connection, once what was written is out. A `read` that waits ends, too. */
  close(): void;
}
