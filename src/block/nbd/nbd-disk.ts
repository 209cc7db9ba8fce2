/** An export of an NBD server as a disk. */

import { nbdCommand, nbdCommandFlag, nbdFlag } from '../../spec/nbd.ts';
import { type Err, fail, ok, type Result } from '../../support/result.ts';
import type { Disk, Extent } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteStream } from './byte-stream.ts';
import { NbdConnection } from './connection.ts';
import { type NbdExport, negotiate } from './handshake.ts';
import type { Request } from './pending.ts';
import { WriteLock } from './write-lock.ts';

/** What a request without data covers; lengths have 32 bits, and servers want to get done. */
const mostEmptyBytes = 2 ** 30;
/** Zeroes for servers that cannot make them. */
const zeroBytes = 2 ** 20;

type Done = Result<void, DiskFailure>;
const done: Done = ok(undefined);

/** A part of a request: whole blocks, or a piece of one block. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly isWhole: boolean;
}

/**
 * Speaks to the server at the other end of `stream`, which is closed when this fails and with the disk.
 * @param name what messages call the server: its URL
 */
export async function openNbdDisk(
  name: string,
  stream: ByteStream,
  exportName: string,
): Promise<Result<Disk, DiskFailure>> {
  const reader = new ByteReader(stream);
  const described = await negotiate(stream, reader, exportName);
  if (described.ok) {
    return ok(new NbdDisk(name, described.value, new NbdConnection(name, stream, reader, described.value)));
  }
  stream.close();
  return fail(described.error.kind, `${name} cannot be opened: ${described.error.message}`);
}

class NbdDisk implements Disk {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly blockBytes: number;
  readonly #name: string;
  readonly #export: NbdExport;
  readonly #connection: NbdConnection;
  readonly #lock = new WriteLock();
  readonly #writeFlags: number;

  constructor(name: string, described: NbdExport, connection: NbdConnection) {
    this.sizeBytes = described.sizeBytes;
    this.readOnly = (described.flags & nbdFlag.readOnly) !== 0;
    this.blockBytes = described.preferredBlock;
    this.#name = name;
    this.#export = described;
    this.#connection = connection;
    // A server that cannot flush may still be able to make each write durable.
    const needsFua = !this.#can(nbdFlag.flush) && this.#can(nbdFlag.fua);
    this.#writeFlags = needsFua ? nbdCommandFlag.fua : 0;
  }

  async read(offset: number, into: Uint8Array): Promise<Done> {
    const wrong = this.#checkRange(offset, into.length);
    if (wrong !== undefined) return wrong;
    const reads = this.#parts(offset, into.length).map((part) => {
      const target = into.subarray(part.start - offset, part.end - offset);
      return part.isWhole ? this.#readBlocks(part.start, target) : this.#readPiece(part, target);
    });
    return all(reads);
  }

  write(offset: number, from: Uint8Array): Promise<Done> {
    return this.#change(
      offset,
      from.length,
      (part) => this.#writeBlocks(part.start, from.subarray(part.start - offset, part.end - offset)),
      (part, block, at) => block.set(from.subarray(part.start - offset, part.end - offset), at),
    );
  }

  writeZeroes(offset: number, length: number, unmap: boolean): Promise<Done> {
    return this.#change(
      offset,
      length,
      (part) => this.#zeroBlocks(part, unmap),
      (part, block, at) => block.fill(0, at, at + part.end - part.start),
    );
  }

  async discard(offset: number, length: number): Promise<Done> {
    const wrong = this.#checkRange(offset, length) ?? this.#checkWritable();
    if (wrong !== undefined) return wrong;
    // Nothing has to happen to the range, and so nothing to its pieces of blocks.
    const whole = this.#parts(offset, length).filter(({ isWhole }) => isWhole);
    if (!this.#can(nbdFlag.trim)) return done;
    return this.#lock.shared(() => all(whole.map((part) => this.#requestEmpty(nbdCommand.trim, part, 0))));
  }

  async flush(): Promise<Done> {
    return this.#can(nbdFlag.flush) ? this.#send({ command: nbdCommand.flush }) : done;
  }

  async extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    const wrong = this.#checkRange(offset, length);
    if (wrong !== undefined) return wrong;
    if (this.#export.allocationContext === undefined || length === 0) return ok({ kind: 'data', length });
    const block = this.#export.minimumBlock;
    const start = offset - (offset % block);
    const end = Math.min(Math.ceil((offset + length) / block) * block, start + mostEmptyBytes);
    const flags = nbdCommandFlag.oneExtent;
    const command = nbdCommand.blockStatus;
    const reply = await this.#connection.request({ command, flags, offset: start, length: end - start });
    if (!reply.ok) return reply;
    const { kind, length: known } = reply.value.extent ?? { kind: 'data', length: end - start };
    const left = start + known - offset;
    // Servers answer in blocks; one that does not has said nothing of what was asked.
    return ok(left > 0 ? { kind, length: Math.min(left, length) } : { kind: 'data', length: Math.min(block, length) });
  }

  resize(_sizeBytes: number): Promise<Done> {
    return Promise.resolve(
      fail('unsupported', `${this.#name} has the size that its server gives it; resize it there.`),
    );
  }

  async close(): Promise<Done> {
    const flushed = this.readOnly ? done : await this.flush();
    this.#connection.disconnect();
    return flushed;
  }

  /** Changes whole blocks by `whole`; pieces of a block by reading it, `patch`, and writing it. */
  async #change(
    offset: number,
    length: number,
    whole: (part: Part) => Promise<Done>,
    patch: (part: Part, block: Uint8Array, at: number) => void,
  ): Promise<Done> {
    const wrong = this.#checkRange(offset, length) ?? this.#checkWritable();
    if (wrong !== undefined) return wrong;
    const parts = this.#parts(offset, length);
    if (parts.every(({ isWhole }) => isWhole)) return this.#lock.shared(() => all(parts.map(whole)));
    return this.#lock.exclusive(() =>
      all(parts.map((part) => (part.isWhole ? whole(part) : this.#patchBlock(part, patch)))),
    );
  }

  async #patchBlock(part: Part, patch: (part: Part, block: Uint8Array, at: number) => void): Promise<Done> {
    const [start, block] = this.#blockAround(part);
    const read = await this.#readBlocks(start, block);
    if (!read.ok) return read;
    patch(part, block, part.start - start);
    return this.#writeBlocks(start, block);
  }

  async #readPiece(part: Part, target: Uint8Array): Promise<Done> {
    const [start, block] = this.#blockAround(part);
    const read = await this.#readBlocks(start, block);
    if (read.ok) target.set(block.subarray(part.start - start, part.end - start));
    return read;
  }

  #readBlocks(start: number, into: Uint8Array): Promise<Done> {
    return all(
      split(start, into.length, this.#export.mostPayload).map(([offset, length]) =>
        this.#send({
          ...{ command: nbdCommand.read, offset, length },
          into: into.subarray(offset - start, offset - start + length),
        }),
      ),
    );
  }

  #writeBlocks(start: number, from: Uint8Array): Promise<Done> {
    return all(
      split(start, from.length, this.#export.mostPayload).map(([offset, length]) =>
        this.#send({
          ...{ command: nbdCommand.write, flags: this.#writeFlags, offset, length },
          data: from.subarray(offset - start, offset - start + length),
        }),
      ),
    );
  }

  async #zeroBlocks(part: Part, unmap: boolean): Promise<Done> {
    if (this.#can(nbdFlag.writeZeroes)) {
      return this.#requestEmpty(nbdCommand.writeZeroes, part, unmap ? 0 : nbdCommandFlag.noHole);
    }
    const { mostPayload, minimumBlock } = this.#export;
    const zeroes = new Uint8Array(Math.min(mostPayload, Math.max(zeroBytes, minimumBlock), part.end - part.start));
    for (const [offset, length] of split(part.start, part.end - part.start, zeroes.length)) {
      const written = await this.#writeBlocks(offset, zeroes.subarray(0, length));
      if (!written.ok) return written;
    }
    return done;
  }

  #requestEmpty(command: number, { start, end }: Part, flags: number): Promise<Done> {
    return all(
      split(start, end - start, mostEmptyBytes).map(([offset, length]) =>
        this.#send({ command, flags: flags | this.#writeFlags, offset, length }),
      ),
    );
  }

  async #send(request: Request): Promise<Done> {
    const reply = await this.#connection.request(request);
    return reply.ok ? done : reply;
  }

  /** A piece of a block, whole blocks, and a piece of a block, as far as there are such. */
  #parts(offset: number, length: number): Part[] {
    const block = this.#export.minimumBlock;
    const end = offset + length;
    const wholeStart = Math.ceil(offset / block) * block;
    const wholeEnd = Math.floor(end / block) * block;
    const parts =
      wholeStart > wholeEnd
        ? [{ start: offset, end, isWhole: false }]
        : [
            { start: offset, end: wholeStart, isWhole: false },
            { start: wholeStart, end: wholeEnd, isWhole: true },
            { start: wholeEnd, end, isWhole: false },
          ];
    return parts.filter((part) => part.end > part.start);
  }

  #blockAround(part: Part): [number, Uint8Array] {
    const block = this.#export.minimumBlock;
    return [part.start - (part.start % block), new Uint8Array(block)];
  }

  #can(flag: number): boolean {
    return (this.#export.flags & flag) !== 0;
  }

  #checkRange(offset: number, length: number): Err<DiskFailure> | undefined {
    if (offset >= 0 && length >= 0 && offset + length <= this.sizeBytes) return undefined;
    return fail('range', `${this.#name} ends at ${this.sizeBytes}, before ${offset} + ${length}.`);
  }

  #checkWritable(): Err<DiskFailure> | undefined {
    return this.readOnly ? fail('read-only', `${this.#name} is exported for reading only.`) : undefined;
  }
}

function split(start: number, length: number, most: number): [number, number][] {
  const pieces: [number, number][] = [];
  for (let done = 0; done < length; done += most) pieces.push([start + done, Math.min(most, length - done)]);
  return pieces;
}

async function all(requests: readonly Promise<Done>[]): Promise<Done> {
  const results = await Promise.all(requests);
  return results.find((result) => !result.ok) ?? done;
}
