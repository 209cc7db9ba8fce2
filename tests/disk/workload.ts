/** Random requests to a qcow2 disk, and the same to a copy in memory that cannot be wrong. */
import assert from 'node:assert/strict';
import { openImage } from '../../src/block/open-image.ts';
import { Qcow2Disk } from '../../src/block/qcow2/qcow2-disk.ts';
import { applySnapshot, deleteSnapshot, takeSnapshot } from '../../src/block/qcow2/snapshot/snapshots.ts';
import { isZero } from '../../src/block/zeroes.ts';
import type { NodeImageHost } from '../../src/host/node/disk/image-host.ts';
import { value } from '../../src/support/testing/expect.ts';
import type { Random } from '../oracle/random.ts';

const sectorBytes = 512;
const mostSnapshots = 3;

export interface WorkloadOptions {
  readonly path: string;
  /** What the disk reads as at first. */
  readonly content: Uint8Array;
  readonly maxBytes: number;
  readonly snapshots: boolean;
  readonly resizes: boolean;
}

export class Workload {
  readonly #host: NodeImageHost;
  readonly #options: WorkloadOptions;
  readonly #random: Random;
  #disk: Qcow2Disk;
  #shadow: Uint8Array;
  readonly snapshots = new Map<string, Uint8Array>();
  #named = 0;
  /** What was done, for the report of a failure. */
  readonly log: string[] = [];

  private constructor(host: NodeImageHost, options: WorkloadOptions, random: Random, disk: Qcow2Disk) {
    this.#host = host;
    this.#options = options;
    this.#random = random;
    this.#disk = disk;
    this.#shadow = options.content.slice();
  }

  static async start(host: NodeImageHost, options: WorkloadOptions, random: Random): Promise<Workload> {
    return new Workload(host, options, random, await openQcow2Disk(host, options.path));
  }

  get shadow(): Uint8Array {
    return this.#shadow;
  }

  async step(): Promise<void> {
    const random = this.#random;
    const choice = random.below(100);
    if (choice < 45) return this.#writes();
    if (choice < 60) return this.#reads();
    if (choice < 70) return this.#zeroes();
    if (choice < 76) return this.#discard();
    if (choice < 82) return this.#extents();
    if (choice < 88) return this.#flush();
    if (choice < 92) return this.#reopen();
    if (choice < 95) return this.#options.resizes ? this.#resize() : this.#reads();
    return this.#options.snapshots ? this.#snapshot() : this.#writes();
  }

  async finish(): Promise<void> {
    value(await this.#disk.close());
  }

  /** A place that others are often near, of a size that is mostly small. */
  #range(): { offset: number; length: number } {
    const random = this.#random;
    const size = this.#shadow.length;
    if (size === 0) return { offset: 0, length: 0 };
    const unit = random.chance(70) ? sectorBytes : 1;
    const most = Math.min(size, random.pick([2048, 20_000, 150_000, 1_000_000] as const));
    const length = Math.min(size, (1 + random.below(Math.ceil(most / unit))) * unit);
    const from = random.chance(50) ? 0 : Math.max(0, size - (1 << 20));
    const start = Math.min(from + random.below(random.chance(50) ? 1 << 18 : size), size - length);
    return { offset: Math.floor(start / unit) * unit, length };
  }

  /** Several at once that do not touch the same bytes, as those would have no order. */
  async #writes(): Promise<void> {
    const ranges: { offset: number; length: number }[] = [];
    for (let count = 1 + this.#random.below(6); count > 0; count--) {
      const { offset, length } = this.#range();
      const apart = ranges.every((other) => offset + length <= other.offset || other.offset + other.length <= offset);
      if (apart) ranges.push({ offset, length });
    }
    this.log.push(`write ${ranges.map(({ offset, length }) => `${offset}+${length}`).join(' ')}`);
    await Promise.all(
      ranges.map(async ({ offset, length }) => {
        const bytes = new Uint8Array(length).fill(1 + this.#random.below(255));
        this.#shadow.set(bytes, offset);
        value(await this.#disk.write(offset, bytes));
      }),
    );
  }

  async #reads(): Promise<void> {
    const ranges = Array.from({ length: 1 + this.#random.below(4) }, () => this.#range());
    this.log.push(`read ${ranges.map(({ offset, length }) => `${offset}+${length}`).join(' ')}`);
    await Promise.all(ranges.map(({ offset, length }) => this.#compare(offset, length)));
  }

  async #compare(offset: number, length: number): Promise<void> {
    const bytes = new Uint8Array(length).fill(0xee);
    value(await this.#disk.read(offset, bytes));
    const same = Buffer.compare(bytes, this.#shadow.subarray(offset, offset + length)) === 0;
    assert.ok(same, `what is read at ${offset}+${length} differs`);
  }

  async #zeroes(): Promise<void> {
    const { offset, length } = this.#range();
    const unmap = this.#random.chance(50);
    this.log.push(`zeroes ${offset}+${length} ${unmap}`);
    this.#shadow.fill(0, offset, offset + length);
    value(await this.#disk.writeZeroes(offset, length, unmap));
  }

  /** Each byte becomes zero or stays. */
  async #discard(): Promise<void> {
    const { offset, length } = this.#range();
    this.log.push(`discard ${offset}+${length}`);
    value(await this.#disk.discard(offset, length));
    const bytes = new Uint8Array(length);
    value(await this.#disk.read(offset, bytes));
    const right = bytes.every((byte, index) => byte === 0 || byte === this.#shadow[offset + index]);
    assert.ok(right, `after a discard of ${offset}+${length} there is something new`);
    this.#shadow.set(bytes, offset);
  }

  /** What is said to be zeroes is. */
  async #extents(): Promise<void> {
    this.log.push('extents');
    for (let at = 0; at < this.#shadow.length; ) {
      const { kind, length } = value(await this.#disk.extent(at, this.#shadow.length - at));
      assert.ok(length > 0 && at + length <= this.#shadow.length);
      assert.ok(
        kind === 'data' || isZero(this.#shadow.subarray(at, at + length)),
        `${at}+${length} is said to be ${kind}`,
      );
      at += length;
    }
  }

  async #flush(): Promise<void> {
    this.log.push('flush');
    value(await this.#disk.flush());
  }

  async #reopen(): Promise<void> {
    this.log.push('reopen');
    value(await this.#disk.close());
    this.#disk = await openQcow2Disk(this.#host, this.#options.path);
    assert.equal(this.#disk.sizeBytes, this.#shadow.length);
  }

  async #resize(): Promise<void> {
    const size = (1 + this.#random.below(this.#options.maxBytes / sectorBytes)) * sectorBytes;
    this.log.push(`resize ${size}`);
    const shadow = new Uint8Array(size);
    shadow.set(this.#shadow.subarray(0, size));
    this.#shadow = shadow;
    value(await this.#disk.resize(size));
    assert.equal(this.#disk.sizeBytes, size);
  }

  async #snapshot(): Promise<void> {
    const names = [...this.snapshots.keys()];
    const choice = this.#random.below(4);
    if (choice < 2 && names.length < mostSnapshots) {
      const name = `snapshot ${this.#named++}`;
      this.log.push(`take ${name}`);
      value(await takeSnapshot(this.#disk.image, name, 1.7e12 + this.#named));
      this.snapshots.set(name, this.#shadow.slice());
    } else if (names.length > 0) {
      const name = this.#random.pick(names);
      this.log.push(`${choice === 3 ? 'apply' : 'delete'} ${name}`);
      if (choice === 3) {
        value(await applySnapshot(this.#disk.image, name));
        this.#shadow = (this.snapshots.get(name) as Uint8Array).slice();
      } else {
        value(await deleteSnapshot(this.#disk.image, name));
        this.snapshots.delete(name);
      }
    }
  }
}

async function openQcow2Disk(host: NodeImageHost, path: string): Promise<Qcow2Disk> {
  const { disk } = value(await openImage(host, path, { format: 'qcow2', readOnly: false }));
  assert.ok(disk instanceof Qcow2Disk);
  return disk;
}
