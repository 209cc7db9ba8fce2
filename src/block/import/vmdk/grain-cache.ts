/** Compressed grains: read whole, unpacked, and kept for a while, since guests read them in smaller pieces. */

import { vmdkMarker, zlibStream } from '../../../spec/vmdk.ts';
import { ok, type Result } from '../../../support/result.ts';
import { uint64, viewOf } from '../../binary.ts';
import type { BlockFile, Codecs } from '../../block-file.ts';
import { sectorBytes } from '../../disk.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { damaged } from '../image-failure.ts';

const keptBytes = 4 << 20;

export interface Grain {
  /** Number within the extent. */
  readonly index: number;
  /** Where its marker lies in the file. */
  readonly at: number;
  /** Bytes of it that belong to the disk: less than a grain at the end. */
  readonly diskBytes: number;
}

export class GrainCache {
  readonly #file: BlockFile;
  readonly #codecs: Codecs;
  readonly #fileBytes: number;
  readonly #grainBytes: number;
  /** By index, least recently used first. */
  readonly #grains = new Map<number, Promise<Result<Uint8Array, DiskFailure>>>();

  constructor(file: BlockFile, fileBytes: number, grainBytes: number, codecs: Codecs) {
    this.#file = file;
    this.#fileBytes = fileBytes;
    this.#grainBytes = grainBytes;
    this.#codecs = codecs;
  }

  /** @returns at least `diskBytes` bytes */
  get(grain: Grain): Promise<Result<Uint8Array, DiskFailure>> {
    const unpacked = this.#grains.get(grain.index) ?? this.#load(grain);
    this.#grains.delete(grain.index);
    this.#grains.set(grain.index, unpacked);
    const [oldest] = this.#grains.keys();
    if (this.#grains.size > Math.max(1, keptBytes / this.#grainBytes)) this.#grains.delete(oldest as number);
    return unpacked;
  }

  async #load(grain: Grain): Promise<Result<Uint8Array, DiskFailure>> {
    const unpacked = await this.#unpack(grain);
    if (!unpacked.ok) this.#grains.delete(grain.index);
    return unpacked;
  }

  async #unpack({ index, at, diskBytes }: Grain): Promise<Result<Uint8Array, DiskFailure>> {
    const bad = (what: string) => damaged(this.#file.name, `its grain ${index} ${what}`);
    const marker = new Uint8Array(vmdkMarker.grainData);
    const readMarker = await this.#file.read(at, marker);
    if (!readMarker.ok) return readMarker;
    if (uint64(viewOf(marker), vmdkMarker.value) !== (index * this.#grainBytes) / sectorBytes) {
      return bad('is marked as another one');
    }
    const size = viewOf(marker).getUint32(vmdkMarker.size, true);
    // Data that does not compress grows a little.
    if (size > 2 * this.#grainBytes) return bad('is larger than compressed data can be');
    if (at + vmdkMarker.grainData + size > this.#fileBytes) return bad('reaches beyond the end');
    if (size < zlibStream.headerBytes + zlibStream.trailerBytes) return bad('is no compressed data');
    const stream = new Uint8Array(size);
    const read = await this.#file.read(at + vmdkMarker.grainData, stream);
    if (!read.ok) return read;
    const [method = 0, flags = 0] = stream;
    const isZlib = (method & zlibStream.methodMask) === zlibStream.deflate && (method * 256 + flags) % 31 === 0;
    if (!isZlib || (flags & zlibStream.presetDictionary) !== 0) return bad('is no compressed data');
    const deflated = stream.subarray(zlibStream.headerBytes, size - zlibStream.trailerBytes);
    let data = await this.#codecs.inflate(deflated, this.#grainBytes);
    // Some tools store of the last grain only what belongs to the disk.
    if (!data.ok && diskBytes < this.#grainBytes) data = await this.#codecs.inflate(deflated, diskBytes);
    if (!data.ok) return data.error.kind === 'corrupt' ? bad('cannot be unpacked') : data;
    if (data.value.length < diskBytes) return bad('is too short');
    if (adler32(data.value) !== viewOf(stream).getUint32(size - zlibStream.trailerBytes)) {
      return bad('does not have the checksum that it should have');
    }
    return ok(data.value);
  }
}

/** RFC 1950 section 8.2. */
function adler32(bytes: Uint8Array): number {
  const modulus = 65521;
  /** So many bytes fit before the sums leave 32 bits. */
  const stride = 5552;
  let [low, high] = [1, 0];
  for (let start = 0; start < bytes.length; start += stride) {
    const end = Math.min(start + stride, bytes.length);
    for (let at = start; at < end; at++) {
      low += bytes[at] as number;
      high += low;
    }
    low %= modulus;
    high %= modulus;
  }
  return high * 0x1_0000 + low;
}
