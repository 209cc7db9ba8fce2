/**
 * Recorded vectors: cases and what a real CPU made of them, one compressed file per area of the table, for hosts that
 * cannot run native.c. Inside: a JSON header, then five streams (case states, code, patches, result states, changes), each
 * stored as the difference from what can be foreseen, which is mostly zeros.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { CaseBatch, fillWindow, type Patch, type Results, ResultWriter } from './case.ts';
import { region, stateField } from './layout.ts';

export interface Recording {
  readonly id: string;
  readonly batch: CaseBatch;
  readonly results: Results;
}

interface Header {
  readonly version: 1;
  /** The CPU's name, for people. */
  readonly cpu: string;
  readonly rows: readonly { readonly id: string; readonly cases: number }[];
}

const streamCount = 5;
const maxCodeLength = 15;
const folder = join(import.meta.dirname, 'vectors');
const fileOf = (area: string): string => join(folder, `${area}.br`);

class ByteWriter {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  put(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(2 * (this.#length + bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  u16(value: number): void {
    this.put(Uint8Array.of(value & 0xff, value >> 8));
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) throw new Error('the recording is truncated');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  u16(): number {
    const [low = 0, high = 0] = this.take(2);
    return low | (high << 8);
  }

  u32(): number {
    return this.u16() + 0x1_0000 * this.u16();
  }
}

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ (b[i] ?? 0));

function putPatches(to: ByteWriter, patches: readonly Patch[], window: Uint8Array | undefined): void {
  to.u16(patches.length);
  for (const { address, bytes } of patches) {
    const offset = address - region.data.address;
    to.u16(offset);
    to.u16(bytes.length);
    to.put(window === undefined ? bytes : xor(bytes, window.subarray(offset)));
  }
}

function takePatches(from: ByteReader, window: Uint8Array | undefined): Patch[] {
  return Array.from({ length: from.u16() }, () => {
    const offset = from.u16();
    const bytes = from.take(from.u16());
    return {
      address: region.data.address + offset,
      bytes: window === undefined ? bytes : xor(bytes, window.subarray(offset)),
    };
  });
}

function putRecording(streams: readonly ByteWriter[], { batch, results }: Recording): void {
  const [states, codes, patches, outcomes, changes] = streams as [
    ByteWriter,
    ByteWriter,
    ByteWriter,
    ByteWriter,
    ByteWriter,
  ];
  const window = new Uint8Array(region.data.size);
  let previous = new Uint8Array(stateField.size);
  for (let i = 0; i < batch.count; i++) {
    const c = batch.case(i);
    const state = c.state.bytes;
    states.put(xor(state, previous));
    previous = state.slice();
    const code = new Uint8Array(2 + maxCodeLength);
    code.set([c.code.length, c.fallsThrough ? 1 : 0, ...c.code]);
    codes.put(code);
    putPatches(patches, c.patches, undefined);
    outcomes.put(xor(results.state(i).bytes, state));
    fillWindow(window, c.patches);
    putPatches(changes, results.changes(i), window);
  }
}

function takeRecording(streams: readonly ByteReader[], id: string, count: number): Recording {
  const [states, codes, patches, outcomes, changes] = streams as [
    ByteReader,
    ByteReader,
    ByteReader,
    ByteReader,
    ByteReader,
  ];
  const batch = new CaseBatch();
  const writer = new ResultWriter();
  const window = new Uint8Array(region.data.size);
  let state = new Uint8Array(stateField.size);
  for (let i = 0; i < count; i++) {
    state = new Uint8Array(xor(states.take(stateField.size), state));
    const [length = 0, flags = 0, ...code] = codes.take(2 + maxCodeLength);
    const placed = takePatches(patches, undefined);
    batch.append(state, Uint8Array.from(code.slice(0, length)), flags === 1, placed);
    const after = xor(outcomes.take(stateField.size), state);
    fillWindow(window, placed);
    writer.appendChanges(after, takePatches(changes, window));
  }
  return { id, batch, results: writer.finish() };
}

/** The uncompressed contents of a file. */
export function encode(recordings: readonly Recording[], cpu: string): Uint8Array {
  const rows = recordings.map(({ id, batch }) => ({ id, cases: batch.count }));
  const header: Header = { version: 1, cpu, rows };
  const streams = Array.from({ length: streamCount }, () => new ByteWriter());
  for (const recording of recordings) putRecording(streams, recording);
  const all = new ByteWriter();
  const text = new TextEncoder().encode(JSON.stringify(header));
  for (const part of [text, ...streams.map(({ bytes }) => bytes)]) {
    all.u16(part.length & 0xffff);
    all.u16(part.length >>> 16);
    all.put(part);
  }
  return all.bytes;
}

/** @throws if the bytes are not what `encode` made. */
export function decodeRecordings(bytes: Uint8Array): Recording[] {
  const reader = new ByteReader(bytes);
  const header = JSON.parse(new TextDecoder().decode(reader.take(reader.u32()))) as Header;
  if (header.version !== 1) throw new Error(`recorded vectors of version ${header.version}`);
  const streams = Array.from({ length: streamCount }, () => new ByteReader(reader.take(reader.u32())));
  return header.rows.map(({ id, cases }) => takeRecording(streams, id, cases));
}

/** Writes an area's file. @returns its size in bytes */
export function writeRecordings(area: string, recordings: readonly Recording[], cpu: string): number {
  const bytes = encode(recordings, cpu);
  const parameters = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  const compressed = brotliCompressSync(bytes, { params: parameters });
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(area), compressed);
  return compressed.length;
}

/** An area's recordings; none if its file does not exist. */
export function readRecordings(area: string): Recording[] {
  const file = fileOf(area);
  return existsSync(file) ? decodeRecordings(brotliDecompressSync(readFileSync(file))) : [];
}
