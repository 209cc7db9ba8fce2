/** Compressed clusters, unpacked: the last few stay, as guests read them in pieces. */
import { qcow2Compression } from '../../spec/qcow2.ts';
import { ok, type Result } from '../../support/result.ts';
import type { BlockFile, Codecs } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { corrupt, hex } from './failures.ts';

const keptBytes = 2 ** 20;
const keptClusters = 4;

export class CompressedClusters {
  readonly #file: BlockFile;
  readonly #unpack: Codecs['inflate'];
  readonly #clusterBytes: number;
  readonly #most: number;
  /** By place in the file, the one used longest ago first; also those that are just being read. */
  readonly #clusters = new Map<number, Promise<Result<Uint8Array, DiskFailure>>>();

  constructor(file: BlockFile, codecs: Codecs, compressionType: number, clusterBytes: number) {
    this.#file = file;
    this.#unpack = compressionType === qcow2Compression.zstd ? codecs.zstdDecompress : codecs.inflate;
    this.#clusterBytes = clusterBytes;
    this.#most = Math.max(keptClusters, keptBytes / clusterBytes);
  }

  /** The content of the cluster whose packed bytes lie there. Nobody may change it. */
  get(host: number, hostBytes: number): Promise<Result<Uint8Array, DiskFailure>> {
    const there = this.#clusters.get(host);
    const cluster = there ?? this.#read(host, hostBytes);
    this.#clusters.delete(host);
    this.#clusters.set(host, cluster);
    if (this.#clusters.size > this.#most) {
      for (const oldest of this.#clusters.keys()) {
        this.#clusters.delete(oldest);
        break;
      }
    }
    return cluster;
  }

  /** To be called before the bytes there become something else. */
  forget(host: number): void {
    this.#clusters.delete(host);
  }

  async #read(host: number, hostBytes: number): Promise<Result<Uint8Array, DiskFailure>> {
    const packed = new Uint8Array(hostBytes);
    const read = await this.#file.read(host, packed);
    const unpacked = read.ok ? await this.#unpack(packed, this.#clusterBytes) : read;
    if (unpacked.ok) return ok(unpacked.value);
    this.#clusters.delete(host);
    if (unpacked.error.kind !== 'corrupt') return unpacked;
    return corrupt(this.#file.name, `the compressed cluster at ${hex(host)} cannot be unpacked`);
  }
}
