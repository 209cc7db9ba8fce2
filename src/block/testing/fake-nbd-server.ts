/** An NBD server in memory that can do what real ones do not: be old, be slow, be wrong. */
import { ok, type Result } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { ByteStream } from '../nbd/byte-stream.ts';

export interface FakeOptions {
  /** Transmission flags; everything by default. */
  readonly flags?: number;
  readonly hasStructuredReplies?: boolean;
  readonly blockSizes?: readonly [minimum: number, preferred: number, most: number];
  /** What the handshake begins with, in place of what it should. */
  readonly greeting?: Uint8Array;
  /** The reply to NBD_OPT_GO, in place of the export. */
  readonly goError?: number;
  /** Looks at a request first. What it returns is sent in place of the answer; undefined: the usual answer. */
  answer?(request: FakeRequest): readonly Uint8Array[] | undefined;
  /** What becomes of everything that the server sends. */
  change?(bytes: Uint8Array): Uint8Array;
}

export interface FakeRequest {
  readonly flags: number;
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: number;
  readonly length: number;
  readonly data: Uint8Array;
}

const [read, write, disconnect, trim, writeZeroes, blockStatus] = [0, 1, 2, 4, 6, 7];

export class FakeNbdServer implements ByteStream {
  readonly content: Uint8Array;
  readonly requests: FakeRequest[] = [];
  isClosed = false;
  readonly #options: FakeOptions;
  #incoming = Buffer.alloc(0);
  #outgoing: Uint8Array[] = [];
  #phase: 'flags' | 'options' | 'transmission' = 'flags';
  #isStructured = false;
  #wake = (): void => {};

  constructor(content: Uint8Array, options: FakeOptions = {}) {
    this.content = content;
    this.#options = options;
    this.send(options.greeting ?? Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), Buffer.from([0, 3])]));
  }

  async read(): Promise<Result<Uint8Array | undefined, DiskFailure>> {
    while (this.#outgoing.length === 0 && !this.isClosed) {
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    return ok(this.#outgoing.shift());
  }

  async write(bytes: Uint8Array): Promise<Result<void, DiskFailure>> {
    this.#incoming = Buffer.concat([this.#incoming, bytes]);
    while (this.#step());
    return ok(undefined);
  }

  close(): void {
    this.isClosed = true;
    this.#wake();
  }

  send(...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.#outgoing.push(this.#options.change?.(Uint8Array.from(part)) ?? part);
    this.#wake();
  }

  /** @returns whether something was understood */
  #step(): boolean {
    const bytes = this.#incoming;
    switch (this.#phase) {
      case 'flags':
        if (bytes.length < 4) return false;
        this.#phase = 'options';
        return this.#take(4);
      case 'options': {
        if (bytes.length < 16 || bytes.length < 16 + bytes.readUInt32BE(12)) return false;
        this.#option(bytes.readUInt32BE(8), bytes.subarray(16, 16 + bytes.readUInt32BE(12)));
        return this.#take(16 + bytes.readUInt32BE(12));
      }
      case 'transmission': {
        if (bytes.length < 28) return false;
        const [flags, command, length] = [bytes.readUInt16BE(4), bytes.readUInt16BE(6), bytes.readUInt32BE(24)];
        const total = 28 + (command === write ? length : 0);
        if (bytes.length < total) return false;
        const data = Uint8Array.from(bytes.subarray(28, total));
        const cookie = bytes.readBigUInt64BE(8);
        this.#request({ flags, command, cookie, offset: Number(bytes.readBigUInt64BE(16)), length, data });
        return this.#take(total);
      }
    }
  }

  #take(length: number): boolean {
    this.#incoming = this.#incoming.subarray(length);
    return true;
  }

  #option(option: number, data: Buffer): void {
    const { hasStructuredReplies = true, goError, flags = 0x7f & ~2, blockSizes } = this.#options;
    const reply = (type: number, payload: Uint8Array = new Uint8Array(0)): void => {
      const header = Buffer.alloc(20);
      header.writeBigUInt64BE(0x0003_e889_0455_65a9n);
      header.writeUInt32BE(option, 8);
      header.writeUInt32BE(type, 12);
      header.writeUInt32BE(payload.length, 16);
      this.send(header, payload);
    };
    if (option === 8) {
      this.#isStructured = hasStructuredReplies;
      reply(hasStructuredReplies ? 1 : 0x8000_0001);
      return;
    }
    if (option === 10) {
      reply(4, Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('base:allocation')]));
      reply(1);
      return;
    }
    if (option !== 7) {
      reply(option === 2 ? 1 : 0x8000_0001);
      return;
    }
    if (goError !== undefined) {
      reply(goError, data.subarray(4, 4 + data.readUInt32BE(0)));
      return;
    }
    const info = Buffer.alloc(12);
    info.writeBigUInt64BE(BigInt(this.content.length), 2);
    info.writeUInt16BE(flags, 10);
    reply(3, info);
    if (blockSizes !== undefined) {
      const sizes = Buffer.alloc(14);
      sizes.writeUInt16BE(3);
      for (const [at, size] of blockSizes.entries()) sizes.writeUInt32BE(size, 2 + at * 4);
      reply(3, sizes);
    }
    reply(1);
    this.#phase = 'transmission';
  }

  #request(request: FakeRequest): void {
    this.requests.push(request);
    if (request.command === disconnect) this.close();
    else this.send(...(this.#options.answer?.(request) ?? this.#perform(request)));
  }

  #perform({ command, offset, length, data, cookie }: FakeRequest): readonly Uint8Array[] {
    if (offset + length > this.content.length) {
      const invalid = Buffer.concat([uint32(22), Buffer.from([0, 0])]);
      return [this.#isStructured ? chunk(cookie, 0x8001, invalid) : simpleReply(cookie, 22)];
    }
    if (command === write) this.content.set(data, offset);
    if (command === trim || command === writeZeroes) this.content.fill(0, offset, offset + length);
    const content = this.content.slice(offset, offset + length);
    if (command === blockStatus) {
      const kind = content.every((byte) => byte === 0) ? 3 : 0;
      return [chunk(cookie, 5, Buffer.concat([uint32(7), uint32(length), uint32(kind)]))];
    }
    if (command !== read) return [simpleReply(cookie, 0)];
    if (!this.#isStructured) return [simpleReply(cookie, 0), content];
    return [chunk(cookie, 1, Buffer.concat([uint64(offset), content]))];
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function simpleReply(cookie: bigint, error: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(0x6744_6698);
  bytes.writeUInt32BE(error, 4);
  bytes.writeBigUInt64BE(cookie, 8);
  return bytes;
}

export function chunk(cookie: bigint, type: number, payload: Uint8Array, isLast = true): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32BE(0x668e_33ef);
  header.writeUInt16BE(isLast ? 1 : 0, 4);
  header.writeUInt16BE(type, 6);
  header.writeBigUInt64BE(cookie, 8);
  header.writeUInt32BE(payload.length, 16);
  return Buffer.concat([header, payload]);
}
