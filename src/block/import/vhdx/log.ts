/**
 * The log of an image that was not closed: changes to its tables that must be seen before anything else is read. They
 * are laid over the file in memory; the file stays as it is. Source: [MS-VHDX] 2.3.
 */

import { vhdxLog, vhdxLogData, vhdxLogDescriptor } from '../../../spec/vhdx.ts';
import { ok, type Result } from '../../../support/result.ts';
import { guidText, startsWith, uint64, viewOf } from '../../binary.ts';
import type { BlockFile } from '../../block-file.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { damaged, refused } from '../image-failure.ts';
import type { LogPlace } from './header.ts';
import type { Patch } from './patched-file.ts';
import { isIntact } from './structure.ts';

/** Hyper-V makes logs of a mebibyte. */
const mostLogBytes = 32 << 20;
/** In a log that was written in order a byte belongs to one entry, or to a few of which the later ones are no more. */
const mostReadsOfByte = 8;
const mostPatches = 1 << 16;

interface Entry {
  readonly tail: number;
  readonly sequence: bigint;
  readonly bytes: number;
  readonly flushedFileBytes: number;
  readonly lastFileBytes: number;
  readonly patches: readonly Patch[];
}

interface Sequence {
  /** Where the first entry is, and where one after the last would be. */
  readonly start: number;
  readonly next: number;
  readonly entries: readonly Entry[];
}

export interface Replay {
  readonly patches: readonly Patch[];
  /** What the size of the file is at least, once the log has been replayed. */
  readonly fileBytes: number;
}

/** Section 2.3.3: the entries of the newest complete sequence, oldest first. */
export async function readLog(
  file: BlockFile,
  fileBytes: number,
  place: LogPlace,
): Promise<Result<Replay, DiskFailure>> {
  if (place.bytes > mostLogBytes) return refused(file.name, `its log of ${place.bytes} bytes is too large`);
  const log = new Uint8Array(place.bytes);
  const read = await file.read(place.offset, log);
  if (!read.ok) return read;
  const active = findActiveSequence(new LogReader(log, place.guid));
  if (active === undefined) return damaged(file.name, 'its log cannot be replayed');
  const head = active.entries.at(-1) as Entry;
  if (head.flushedFileBytes > fileBytes) {
    return damaged(file.name, `it was cut off: it has ${fileBytes} of ${head.flushedFileBytes} bytes`);
  }
  const patches = active.entries.flatMap((entry) => entry.patches);
  if (patches.length > mostPatches) return refused(file.name, `its log has more than ${mostPatches} changes`);
  return ok({ patches, fileBytes: Math.max(fileBytes, head.lastFileBytes) });
}

function findActiveSequence(log: LogReader): Sequence | undefined {
  let active: Sequence | undefined;
  for (let start = 0; start < log.bytes; ) {
    const sequence = readSequence(log, start);
    const head = sequence.entries.at(-1);
    if (head === undefined) {
      start += vhdxLog.sectorBytes;
      continue;
    }
    const newest = active?.entries.at(-1)?.sequence ?? 0n;
    const isComplete = isWithin(log, sequence, head.tail);
    if (isComplete && head.sequence > newest) active = sequence;
    // Behind the end of the ring is its begin, which has been looked at.
    const next = isComplete ? sequence.next : start + vhdxLog.sectorBytes;
    if (next <= start) break;
    start = next;
  }
  return active;
}

function readSequence(log: LogReader, start: number): Sequence {
  const entries: Entry[] = [];
  let [next, taken] = [start, 0];
  for (;;) {
    const entry = log.entryAt(next);
    const before = entries.at(-1);
    const follows = before === undefined || entry?.sequence === before.sequence + 1n;
    if (entry === undefined || !follows || taken + entry.bytes > log.bytes) return { start, next, entries };
    entries.push(entry);
    taken += entry.bytes;
    next = (next + entry.bytes) % log.bytes;
  }
}

/** Whether an entry of the sequence begins at `tail`; the newest one says where the oldest one that counts is. */
function isWithin(log: LogReader, { start, entries }: Sequence, tail: number): boolean {
  let at = start;
  for (const entry of entries) {
    if (at === tail) return true;
    at = (at + entry.bytes) % log.bytes;
  }
  return false;
}

class LogReader {
  readonly bytes: number;
  readonly #log: Uint8Array;
  readonly #guid: string;
  readonly #entries = new Map<number, Entry | undefined>();
  /** Bytes that may still be read, so that a log made to be slow is not. */
  #left: number;

  constructor(log: Uint8Array, guid: string) {
    this.#log = log;
    this.#guid = guid;
    this.bytes = log.length;
    this.#left = log.length * mostReadsOfByte;
  }

  /** @returns undefined if no valid entry begins there */
  entryAt(start: number): Entry | undefined {
    if (!this.#entries.has(start)) this.#entries.set(start, this.#parse(start));
    return this.#entries.get(start);
  }

  #parse(start: number): Entry | undefined {
    const header = this.#log.subarray(start, start + vhdxLog.sectorBytes);
    if (!startsWith(header, vhdxLog.entrySignature)) return undefined;
    const view = viewOf(header);
    const bytes = view.getUint32(vhdxLog.entryBytes, true);
    const tail = view.getUint32(vhdxLog.tail, true);
    const sequence = view.getBigUint64(vhdxLog.sequence, true);
    if (bytes === 0 || bytes % vhdxLog.sectorBytes !== 0 || bytes > Math.min(this.bytes, this.#left)) return undefined;
    if (guidText(header.subarray(vhdxLog.guid, vhdxLog.guid + 16)) !== this.#guid || sequence === 0n) return undefined;
    this.#left -= bytes;
    const entry = this.#ring(start, bytes);
    if (!isIntact(entry, vhdxLog.entrySignature, vhdxLog.checksum)) return undefined;
    const patches = patchesOf(entry, view.getUint32(vhdxLog.descriptorCount, true), sequence);
    if (patches === undefined) return undefined;
    const flushedFileBytes = uint64(view, vhdxLog.flushedFileBytes);
    return { tail, sequence, bytes, flushedFileBytes, lastFileBytes: uint64(view, vhdxLog.lastFileBytes), patches };
  }

  /** A copy of what may continue at the begin of the log. */
  #ring(start: number, count: number): Uint8Array {
    const copy = new Uint8Array(count);
    const first = this.#log.subarray(start, start + count);
    copy.set(first);
    copy.set(this.#log.subarray(0, count - first.length), first.length);
    return copy;
  }
}

/** @returns undefined if a descriptor or its data is not what it should be */
function patchesOf(entry: Uint8Array, count: number, sequence: bigint): Patch[] | undefined {
  const view = viewOf(entry);
  const { sectorBytes, headerBytes } = vhdxLog;
  const descriptorsEnd = headerBytes + count * vhdxLogDescriptor.bytes;
  let dataAt = Math.ceil(descriptorsEnd / sectorBytes) * sectorBytes;
  if (dataAt > entry.length) return undefined;
  const patches: Patch[] = [];
  for (let at = headerBytes; at < descriptorsEnd; at += vhdxLogDescriptor.bytes) {
    const descriptor = entry.subarray(at, at + vhdxLogDescriptor.bytes);
    const offset = uint64(view, at + vhdxLogDescriptor.fileOffset);
    if (view.getBigUint64(at + vhdxLogDescriptor.sequence, true) !== sequence) return undefined;
    if (offset % sectorBytes !== 0) return undefined;
    if (startsWith(descriptor, vhdxLogDescriptor.zeroSignature)) {
      patches.push({ offset, bytes: uint64(view, at + vhdxLogDescriptor.zeroBytes) });
      continue;
    }
    const sector = entry.slice(dataAt, dataAt + sectorBytes);
    if (!startsWith(descriptor, vhdxLogDescriptor.dataSignature) || !isData(sector, sequence)) return undefined;
    const { leading, leadingBytes, trailing, trailingBytes } = vhdxLogDescriptor;
    sector.set(descriptor.subarray(leading, leading + leadingBytes));
    sector.set(descriptor.subarray(trailing, trailing + trailingBytes), sectorBytes - trailingBytes);
    patches.push({ offset, bytes: sectorBytes, data: sector });
    dataAt += sectorBytes;
  }
  return patches;
}

function isData(sector: Uint8Array, sequence: bigint): boolean {
  if (sector.length < vhdxLog.sectorBytes || !startsWith(sector, vhdxLogData.signature)) return false;
  const view = viewOf(sector);
  const high = BigInt(view.getUint32(vhdxLogData.sequenceHigh, true));
  return ((high << 32n) | BigInt(view.getUint32(vhdxLogData.sequenceLow, true))) === sequence;
}
