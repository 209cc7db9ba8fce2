/** A connection in its transmission phase: many requests under way, replies in any order and in pieces. */

import {
  nbdChunk,
  nbdChunkType,
  nbdCommand,
  nbdError,
  nbdExtent,
  nbdMagic,
  nbdMostTextBytes,
  nbdRequest,
  nbdSimpleReply,
} from '../../spec/nbd.ts';
import { fail, type Result } from '../../support/result.ts';
import { printable } from '../binary.ts';
import type { DiskFailure, DiskFailureKind } from '../disk-failure.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteStream } from './byte-stream.ts';
import { type NbdExport, violation } from './handshake.ts';
import { Pending, type Reply, type Request } from './pending.ts';

type Failed = Result<never, DiskFailure>;
/** What a step of receiving comes to: undefined, or why nothing can be received any more. */
type Step = Promise<Failed | undefined>;

/** A text, and numbers in front of it. */
const mostErrorBytes = nbdMostTextBytes + 64;
const mostStatusBytes = 4096;

export class NbdConnection {
  readonly #name: string;
  readonly #stream: ByteStream;
  readonly #reader: ByteReader;
  readonly #export: NbdExport;
  readonly #pending = new Map<number, Pending>();
  #lastCookie = 0;
  /** Why the connection is no more. */
  #lost: Failed | undefined;

  /** @param name what messages call the server */
  constructor(name: string, stream: ByteStream, reader: ByteReader, described: NbdExport) {
    this.#name = name;
    this.#stream = stream;
    this.#reader = reader;
    this.#export = described;
    void this.#receive();
  }

  request(request: Request): Promise<Result<Reply, DiskFailure>> {
    if (this.#lost !== undefined) return Promise.resolve(this.#lost);
    const cookie = ++this.#lastCookie;
    return new Promise((settle) => {
      this.#pending.set(cookie, new Pending(request, settle));
      this.#write(encode(request, cookie));
      if (request.data !== undefined) this.#write(request.data);
    });
  }

  /** Says good-bye; requests that are still under way fail. */
  disconnect(): void {
    if (this.#lost !== undefined) return;
    this.#write(encode({ command: nbdCommand.disconnect }, 0));
    this.#lose(fail('io', 'the disk was closed.'));
  }

  #write(bytes: Uint8Array): void {
    void this.#stream.write(bytes).then((written) => {
      if (!written.ok) this.#lose(written);
    });
  }

  #lose(why: Failed): void {
    if (this.#lost !== undefined || why.ok) return;
    this.#lost = fail(why.error.kind, `the connection to ${this.#name} was lost: ${why.error.message}`);
    for (const pending of this.#pending.values()) pending.fail(this.#lost);
    this.#pending.clear();
    this.#stream.close();
  }

  async #receive(): Promise<void> {
    while (this.#lost === undefined) {
      const failure = await this.#receiveOne();
      if (failure !== undefined) this.#lose(failure);
    }
  }

  async #receiveOne(): Step {
    const magic = await this.#reader.view(4);
    if (!magic.ok) return magic;
    switch (magic.value.getUint32(0)) {
      case nbdMagic.simpleReply:
        return this.#receiveSimple();
      case nbdMagic.chunk:
        return this.#export.hasStructuredReplies ? this.#receiveChunk() : violation('it sent a reply in chunks');
      default:
        return violation('it sent what is no reply');
    }
  }

  async #receiveSimple(): Step {
    // The magic number has been read.
    const header = await this.#reader.view(nbdSimpleReply.bytes - 4);
    if (!header.ok) return header;
    const error = header.value.getUint32(nbdSimpleReply.error - 4);
    const cookie = Number(header.value.getBigUint64(nbdSimpleReply.cookie - 4));
    const pending = this.#pending.get(cookie);
    if (pending === undefined) return violation('it answered what was not asked');
    const { into, offset = 0 } = pending.request;
    if (error !== 0) {
      pending.noteFailure(this.#failureOf(error, new Uint8Array(0)));
    } else if (into !== undefined) {
      if (this.#export.hasStructuredReplies) return violation('it answered a read without chunks');
      const filled = await this.#reader.fill(pending.claim(offset, into.length) ?? into);
      if (!filled.ok) return filled;
    }
    return this.#complete(cookie, pending, error);
  }

  async #receiveChunk(): Step {
    const header = await this.#reader.view(nbdChunk.bytes - 4);
    if (!header.ok) return header;
    const cookie = Number(header.value.getBigUint64(nbdChunk.cookie - 4));
    const type = header.value.getUint16(nbdChunk.type - 4);
    const length = header.value.getUint32(nbdChunk.length - 4);
    const isLast = (header.value.getUint16(nbdChunk.flags - 4) & nbdChunk.done) !== 0;
    const pending = this.#pending.get(cookie);
    if (pending === undefined) return violation('it answered what was not asked');
    const error = await this.#receivePayload(pending, type, length);
    if (typeof error !== 'number') return error;
    return isLast || error === nbdError.ESHUTDOWN ? this.#complete(cookie, pending, error) : undefined;
  }

  /** @returns the error that the chunk tells of, or 0; or why nothing can be received any more */
  async #receivePayload(pending: Pending, type: number, length: number): Promise<Failed | number> {
    if ((type & nbdChunkType.error) !== 0) return this.#receiveError(pending, length);
    switch (type) {
      case nbdChunkType.none:
        return length === 0 ? 0 : violation('it sent a chunk of nothing with something');
      case nbdChunkType.data: {
        const offset = await this.#reader.view(Math.min(length, 8));
        if (!offset.ok) return offset;
        const target = length > 8 ? pending.claim(Number(offset.value.getBigUint64(0)), length - 8) : undefined;
        if (target === undefined) return violation('it sent data that was not asked for');
        const filled = await this.#reader.fill(target);
        return filled.ok ? 0 : filled;
      }
      case nbdChunkType.hole: {
        if (length !== 12) return violation(`it sent a hole of ${length} bytes`);
        const hole = await this.#reader.view(length);
        if (!hole.ok) return hole;
        const target = pending.claim(Number(hole.value.getBigUint64(0)), hole.value.getUint32(8));
        if (target === undefined) return violation('it sent a hole that was not asked for');
        target.fill(0);
        return 0;
      }
      case nbdChunkType.blockStatus:
        return this.#receiveStatus(pending, length);
      default:
        return violation(`it sent a chunk of the unknown type ${type}`);
    }
  }

  async #receiveStatus(pending: Pending, length: number): Promise<Failed | number> {
    if (length < 12 || length % 8 !== 4 || length > mostStatusBytes) {
      return violation(`it sent a status of ${length} bytes`);
    }
    const status = await this.#reader.view(length);
    if (!status.ok) return status;
    if (pending.request.command !== nbdCommand.blockStatus) return violation('it sent a status that was not asked for');
    if (status.value.getUint32(0) !== this.#export.allocationContext) return 0;
    const [extentBytes, flags] = [status.value.getUint32(4), status.value.getUint32(8)];
    if (extentBytes === 0) return violation('it sent an empty extent');
    const isZero = (flags & nbdExtent.zero) !== 0;
    const zeroKind = (flags & nbdExtent.hole) !== 0 ? 'hole' : 'zero';
    // A hole that need not read as zeroes is data to us.
    pending.noteExtent({ kind: isZero ? zeroKind : 'data', length: extentBytes });
    return 0;
  }

  async #receiveError(pending: Pending, length: number): Promise<Failed | number> {
    if (length < 6 || length > mostErrorBytes) return violation(`it sent an error of ${length} bytes`);
    const payload = await this.#reader.view(length);
    if (!payload.ok) return payload;
    const [error, textBytes] = [payload.value.getUint32(0), payload.value.getUint16(4)];
    if (error === 0 || textBytes > length - 6) return violation('it sent an error that is none');
    pending.noteFailure(this.#failureOf(error, new Uint8Array(payload.value.buffer, 6, textBytes)));
    return error;
  }

  #complete(cookie: number, pending: Pending, error: number): Failed | undefined {
    if (!pending.complete()) return violation('it sent less than was asked for');
    this.#pending.delete(cookie);
    // The protocol wants the client to leave then.
    return error === nbdError.ESHUTDOWN ? fail('io', 'the server is shutting down.') : undefined;
  }

  #failureOf(error: number, text: Uint8Array): Failed {
    const [name] = Object.entries(nbdError).find(([, value]) => value === error) ?? [`error ${error}`];
    const kind = kinds[error] ?? 'io';
    const said = text.length > 0 ? `: ${printable(text)}` : '';
    return fail(kind, `${this.#name} answered with ${name}${said}.`);
  }
}

const kinds: Readonly<Record<number, DiskFailureKind>> = {
  [nbdError.EPERM]: 'read-only',
  [nbdError.ENOSPC]: 'no-space',
  [nbdError.ENOTSUP]: 'unsupported',
};

function encode(request: Request, cookie: number): Uint8Array {
  const bytes = new Uint8Array(nbdRequest.bytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, nbdMagic.request);
  view.setUint16(nbdRequest.flags, request.flags ?? 0);
  view.setUint16(nbdRequest.command, request.command);
  view.setBigUint64(nbdRequest.cookie, BigInt(cookie));
  view.setBigUint64(nbdRequest.offset, BigInt(request.offset ?? 0));
  view.setUint32(nbdRequest.length, request.length ?? 0);
  return bytes;
}
