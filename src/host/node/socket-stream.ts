import { connect, type NetConnectOpts, type Socket } from 'node:net';
import type { DiskFailure } from '../../block/disk-failure.ts';
import type { ByteStream } from '../../block/nbd/byte-stream.ts';
import type { NbdAddress } from '../../block/nbd/url.ts';
import { fail, ok, type Result } from '../../support/result.ts';

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'there is no such socket',
  ENOTFOUND: 'there is no such host',
  EACCES: 'the socket may not be used',
  ENOTSOCK: 'it is not a socket',
  ECONNRESET: 'the server broke the connection off',
  EPIPE: 'the server broke the connection off',
  ETIMEDOUT: 'the server does not answer',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the host',
};

/** A server that is gone without a word is noticed after this, and some more that the host decides. */
const keepAliveMs = 30_000;

/** A byte stream over a socket that is being connected; what fails in that, the first read tells. */
export class SocketStream implements ByteStream {
  readonly #socket: Socket;
  #failure: Result<never, DiskFailure> | undefined;
  #isClosed = false;
  #wake = (): void => {};

  constructor(address: NbdAddress) {
    const { kind } = address;
    const options: NetConnectOpts =
      kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port, noDelay: true };
    this.#socket = connect({ ...options, keepAlive: true, keepAliveInitialDelay: keepAliveMs });
    this.#socket.on('readable', () => this.#wake());
    this.#socket.on('end', () => this.#wake());
    this.#socket.on('close', () => this.#wake());
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.abort(reasons[error.code ?? ''] ?? error.message));
  }

  async read(): Promise<Result<Uint8Array | undefined, DiskFailure>> {
    for (;;) {
      if (this.#failure !== undefined) return this.#failure;
      if (this.#isClosed) return ok(undefined);
      const bytes: Uint8Array | null = this.#socket.read();
      if (bytes !== null) return ok(bytes);
      if (this.#socket.readableEnded || this.#socket.destroyed) return ok(undefined);
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  write(bytes: Uint8Array): Promise<Result<void, DiskFailure>> {
    if (this.#failure !== undefined) return Promise.resolve(this.#failure);
    return new Promise((settle) => {
      this.#socket.write(bytes, (error?: Error | null) => {
        settle(error ? (this.#failure ?? fail('io', 'the connection ended.')) : ok(undefined));
      });
    });
  }

  close(): void {
    this.#isClosed = true;
    // Nobody reads any more, and what is unread would hold the socket open.
    this.#socket.end(() => this.#socket.destroy());
    this.#wake();
  }

  /** Breaks the connection off. @param why a clause */
  abort(why: string): void {
    this.#failure ??= fail('io', `${why}.`);
    this.#socket.destroy();
    this.#wake();
  }
}
