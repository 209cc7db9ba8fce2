/** A driver's end of a split virtqueue, which can also be told to break the rules. */
import assert from 'node:assert/strict';
import { availableRing, descriptor, descriptorFlag, usedRing } from '../../../spec/virtio/ring.ts';
import type { TestMachine } from './test-machine.ts';

export interface RawDescriptor {
  readonly address: number | bigint;
  readonly length: number;
  readonly flags?: number;
  readonly next?: number;
}

export interface Sent {
  readonly head: number;
  /** Addresses of the writable buffers. */
  readonly writable: readonly number[];
}

export class DriverQueue {
  readonly index: number;
  readonly size: number;
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
  readonly #machine: TestMachine;
  #nextDescriptor = 0;
  #availableIndex = 0;
  #seen = 0;

  constructor(machine: TestMachine, index: number, size: number) {
    this.#machine = machine;
    this.index = index;
    this.size = size;
    this.descriptors = machine.allocate(size * descriptor.size);
    this.available = machine.allocate(availableRing.ring + size * availableRing.entrySize + 2);
    this.used = machine.allocate(usedRing.ring + size * usedRing.entrySize + 2);
  }

  writeDescriptor(table: number, index: number, { address, length, flags = 0, next = 0 }: RawDescriptor): void {
    const { memory } = this.#machine;
    const at = table + index * descriptor.size;
    memory.writeU64(at, BigInt.asUintN(64, BigInt(address)));
    memory.writeU32(at + descriptor.length, length);
    memory.writeU16(at + descriptor.flags, flags);
    memory.writeU16(at + descriptor.next, next);
  }

  /** Makes a head available without telling the device. */
  offer(head: number): void {
    const { memory } = this.#machine;
    const slot = this.#availableIndex & (this.size - 1);
    memory.writeU16(this.available + availableRing.ring + slot * availableRing.entrySize, head);
    this.#availableIndex = (this.#availableIndex + 1) & 0xffff;
    memory.writeU16(this.available + availableRing.index, this.#availableIndex);
  }

  /** Puts a chain into the descriptor table, buffers of its own behind it, and makes it available. */
  add(readable: readonly Uint8Array[], writableBytes: readonly number[]): Sent {
    const count = readable.length + writableBytes.length;
    const head = this.#nextDescriptor;
    const addresses: number[] = [];
    for (let n = 0; n < count; n++) {
      const index = (head + n) % this.size;
      const data = readable[n];
      const length = data?.length ?? (writableBytes[n - readable.length] as number);
      const address = this.#machine.allocate(Math.max(1, length));
      if (data === undefined) addresses.push(address);
      else this.#machine.memory.write(address, data);
      const flags = (data === undefined ? descriptorFlag.write : 0) | (n + 1 < count ? descriptorFlag.next : 0);
      this.writeDescriptor(this.descriptors, index, { address, length, flags, next: (index + 1) % this.size });
    }
    this.#nextDescriptor = (head + count) % this.size;
    this.offer(head);
    return { head, writable: addresses };
  }

  ring(): void {
    this.#machine.ring(this.index);
  }

  get usedIndex(): number {
    return this.#machine.memory.readU16(this.used + usedRing.index);
  }

  /** The next used element, once there is one. */
  async next(): Promise<{ head: number; written: number }> {
    await this.#machine.until(() => this.usedIndex !== this.#seen, 'a used buffer');
    const at = this.used + usedRing.ring + (this.#seen & (this.size - 1)) * usedRing.entrySize;
    this.#seen = (this.#seen + 1) & 0xffff;
    return { head: this.#machine.memory.readU32(at), written: this.#machine.memory.readU32(at + 4) };
  }

  /** Adds a chain, rings, waits. @returns what the device wrote, buffer by buffer, and how much it says it was */
  async exchange(
    readable: readonly Uint8Array[],
    writableBytes: readonly number[],
  ): Promise<{ written: number; buffers: Uint8Array[] }> {
    const { head, writable } = this.add(readable, writableBytes);
    this.ring();
    const used = await this.next();
    assert.equal(used.head, head);
    const buffers = writable.map((address, n) => this.#machine.memory.read(address, writableBytes[n] as number));
    return { written: used.written, buffers };
  }

  /** The place where the driver says at which used index it wants an interrupt. */
  set usedEvent(value: number) {
    this.#machine.memory.writeU16(this.available + availableRing.ring + this.size * availableRing.entrySize, value);
  }

  /** The place where the device says at which available index it wants to be notified. */
  get availableEvent(): number {
    return this.#machine.memory.readU16(this.used + usedRing.ring + this.size * usedRing.entrySize);
  }

  set availableFlags(value: number) {
    this.#machine.memory.writeU16(this.available + availableRing.flags, value);
  }

  get usedFlags(): number {
    return this.#machine.memory.readU16(this.used + usedRing.flags);
  }

  /** As if that many buffers had been made available at once. */
  set availableIndex(value: number) {
    this.#availableIndex = value & 0xffff;
    this.#machine.memory.writeU16(this.available + availableRing.index, this.#availableIndex);
  }
}
