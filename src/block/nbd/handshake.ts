/** The handshake: both sides say what they are able to do, and the client chooses an export. */

import {
  nbdBlockSize,
  nbdHandshake,
  nbdInfo,
  nbdMagic,
  nbdMetaContext,
  nbdMostTextBytes,
  nbdOption,
  nbdOptionReply,
} from '../../spec/nbd.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { encodeUtf8 } from '../../support/utf8.ts';
import { isPowerOfTwo, printable, viewOf } from '../binary.ts';
import { sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteStream } from './byte-stream.ts';

export interface NbdExport {
  readonly sizeBytes: number;
  /** `nbdFlag`. */
  readonly flags: number;
  readonly hasStructuredReplies: boolean;
  /** The number of the context `base:allocation`, if the server has it. */
  readonly allocationContext: number | undefined;
  /** Requests have to be multiples of this in place and length: a power of two. */
  readonly minimumBlock: number;
  /** Requests should be multiples of this: a power of two, at least a sector. */
  readonly preferredBlock: number;
  /** The data of one request: a multiple of `minimumBlock`. */
  readonly mostPayload: number;
}

interface OptionReply {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Replies to an option that are no end of it; a server needs a handful. */
const mostReplies = 64;
const mostReplyBytes = 2 * nbdMostTextBytes;

/** What the server at the other end of `stream` says about an export, which from then on is ready for requests. */
export async function negotiate(
  stream: ByteStream,
  reader: ByteReader,
  exportName: string,
): Promise<Result<NbdExport, DiskFailure>> {
  const greeting = await greet(stream, reader);
  if (!greeting.ok) return greeting;
  const options = new Options(stream, reader);
  const name = encodeUtf8(exportName);
  const structured = await options.ask(nbdOption.structuredReply, new Uint8Array(0));
  if (!structured.ok) return structured;
  const hasStructuredReplies = structured.value.at(-1)?.type === nbdOptionReply.ack;
  let allocationContext: number | undefined;
  if (hasStructuredReplies) {
    const query = encodeUtf8(nbdMetaContext);
    const contexts = await options.ask(
      nbdOption.setMetaContext,
      join(uint32(name.length), name, uint32(1), uint32(query.length), query),
    );
    if (!contexts.ok) return contexts;
    allocationContext = contextOf(contexts.value);
  }
  const go = await options.ask(nbdOption.go, join(uint32(name.length), name, uint16(1), uint16(nbdInfo.blockSize)));
  if (!go.ok) return go;
  const last = go.value.at(-1) as OptionReply;
  if (last.type !== nbdOptionReply.ack) {
    // The polite way to leave; whether it arrives does not matter.
    void options.send(nbdOption.abort, new Uint8Array(0));
    return refusal(last, exportName);
  }
  const described = describe(go.value);
  return described.ok ? ok({ ...described.value, hasStructuredReplies, allocationContext }) : described;
}

async function greet(stream: ByteStream, reader: ByteReader): Promise<Result<void, DiskFailure>> {
  const magic = await reader.view(16);
  if (!magic.ok) return magic;
  if (magic.value.getBigUint64(0) !== nbdMagic.server) return fail('io', 'the other end is not an NBD server.');
  const outdated = fail('unsupported', 'the server only speaks a style of NBD that is not in use any more; update it.');
  if (magic.value.getBigUint64(8) === nbdMagic.oldStyle) return outdated;
  if (magic.value.getBigUint64(8) !== nbdMagic.newStyle) return fail('io', 'the other end is not an NBD server.');
  const flags = await reader.view(2);
  if (!flags.ok) return flags;
  const offered = flags.value.getUint16(0);
  if ((offered & nbdHandshake.fixedNewStyle) === 0) return outdated;
  return stream.write(uint32(offered & (nbdHandshake.fixedNewStyle | nbdHandshake.noZeroes)));
}

/** Option haggling: one question at a time. */
class Options {
  readonly #stream: ByteStream;
  readonly #reader: ByteReader;

  constructor(stream: ByteStream, reader: ByteReader) {
    this.#stream = stream;
    this.#reader = reader;
  }

  send(option: number, data: Uint8Array): Promise<Result<void, DiskFailure>> {
    return this.#stream.write(join(uint64(nbdMagic.newStyle), uint32(option), uint32(data.length), data));
  }

  /** @returns all replies; the last one is an acknowledgement or a refusal */
  async ask(option: number, data: Uint8Array): Promise<Result<readonly OptionReply[], DiskFailure>> {
    const sent = await this.send(option, data);
    if (!sent.ok) return sent;
    const replies: OptionReply[] = [];
    while (replies.length < mostReplies) {
      const header = await this.#reader.view(20);
      if (!header.ok) return header;
      const [type, length] = [header.value.getUint32(12), header.value.getUint32(16)];
      if (header.value.getBigUint64(0) !== nbdMagic.optionReply || header.value.getUint32(8) !== option) {
        return violation('it answered an option that was not asked for');
      }
      if (length > mostReplyBytes) return violation(`it answered an option with ${length} bytes`);
      const payload = new Uint8Array(length);
      const read = await this.#reader.fill(payload);
      if (!read.ok) return read;
      replies.push({ type, data: payload });
      if (type === nbdOptionReply.ack || type >= nbdOptionReply.error) return ok(replies);
    }
    return violation('its answer to an option does not end');
  }
}

function contextOf(replies: readonly OptionReply[]): number | undefined {
  for (const { type, data } of replies) {
    if (type !== nbdOptionReply.metaContext || data.length < 4) continue;
    if (printable(data.subarray(4)) === nbdMetaContext) return viewOf(data).getUint32(0);
  }
  return undefined;
}

function describe(
  replies: readonly OptionReply[],
): Result<Omit<NbdExport, 'hasStructuredReplies' | 'allocationContext'>, DiskFailure> {
  let [minimumBlock, preferredBlock, mostPayload] = [1, sectorBytes, nbdBlockSize.mostPayload as number];
  let size: { bytes: bigint; flags: number } | undefined;
  for (const { type, data } of replies) {
    if (type !== nbdOptionReply.info || data.length < 2) continue;
    const view = viewOf(data);
    const info = view.getUint16(0);
    if (info === nbdInfo.export && data.length >= nbdInfo.exportBytes) {
      size = { bytes: view.getBigUint64(2), flags: view.getUint16(10) };
    }
    if (info === nbdInfo.blockSize && data.length >= nbdInfo.blockSizeBytes) {
      [minimumBlock, preferredBlock] = [view.getUint32(2), view.getUint32(6)];
      mostPayload = Math.min(mostPayload, view.getUint32(10));
    }
  }
  if (size === undefined) return violation('it did not say how large the export is');
  if (size.bytes > BigInt(Number.MAX_SAFE_INTEGER)) return fail('unsupported', 'the export is larger than any disk.');
  if (!isPowerOfTwo(minimumBlock) || minimumBlock > nbdBlockSize.mostMinimum || mostPayload < minimumBlock) {
    return violation(`it wants blocks of ${minimumBlock} to ${mostPayload} bytes`);
  }
  const sizeBytes = Number(size.bytes);
  if (sizeBytes % minimumBlock !== 0) return violation(`${sizeBytes} bytes are not blocks of ${minimumBlock}`);
  if (!isPowerOfTwo(preferredBlock)) preferredBlock = sectorBytes;
  preferredBlock = Math.max(preferredBlock, minimumBlock, sectorBytes);
  mostPayload -= mostPayload % minimumBlock;
  return ok({ sizeBytes, flags: size.flags, minimumBlock, preferredBlock, mostPayload });
}

function refusal({ type, data }: OptionReply, exportName: string): Result<never, DiskFailure> {
  const name = exportName === '' ? 'its default export' : `the export ${exportName}`;
  const said = data.length > 0 ? ` (it says: ${printable(data)})` : '';
  switch (type) {
    case nbdOptionReply.unknownExport:
      return fail('not-found', `the server does not have ${name}${said}.`);
    case nbdOptionReply.tlsRequired:
      return fail(
        'unsupported',
        `the server gives ${name} over encrypted connections (TLS) only, which are not supported.`,
      );
    case nbdOptionReply.unsupported:
      return fail('unsupported', 'the server is too old to tell about its exports (NBD_OPT_GO); update it.');
    case nbdOptionReply.shutdown:
      return fail('io', 'the server is shutting down.');
    case nbdOptionReply.policy:
      return fail('io', `the server does not give us ${name}${said}.`);
    default:
      return fail('io', `the server refused ${name} with error ${type - nbdOptionReply.error}${said}.`);
  }
}

/** @param what a clause about the server */
export function violation(what: string): Result<never, DiskFailure> {
  return fail('io', `the server broke the protocol: ${what}.`);
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function uint64(value: bigint): Uint8Array {
  return join(uint32(Number(value >> 32n)), uint32(Number(value & 0xffff_ffffn)));
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
