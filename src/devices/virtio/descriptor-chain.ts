/**
 * A chain of descriptors that the driver has made available: first what the device reads, then what it writes. Read out
 * of guest RAM once and checked throughout. Source: VIRTIO 1.2 2.7.4, 2.7.5.
 */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { descriptor, descriptorFlag } from '../../spec/virtio/ring.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { ScatteredBytes } from '../../support/scattered-bytes.ts';

/** Drivers may make chains in indirect tables longer than the queue; nobody needs more than this. */
const maxIndirectLength = 1024;
/** 2.7.5: a chain is at most 2^32 bytes. */
const maxChainBytes = 2 ** 32;

export class DescriptorChain {
  readonly head: number;
  /** What the driver gives. */
  readonly readable: ScatteredBytes;
  /** What the device fills. */
  readonly writable: ScatteredBytes;
  readonly #complete: (chain: DescriptorChain, written: number) => void;
  #completed = false;

  constructor(
    head: number,
    readable: ScatteredBytes,
    writable: ScatteredBytes,
    complete: (chain: DescriptorChain, written: number) => void,
  ) {
    this.head = head;
    this.readable = readable;
    this.writable = writable;
    this.#complete = complete;
  }

  /**
   * Gives the chain back, once the device does not touch its buffers any more.
   * @param written how many bytes, from the first writable one on, the device has filled
   * @throws if it was given back before: that is a bug of the device.
   */
  complete(written: number): void {
    if (this.#completed) throw new Error('a descriptor chain was completed twice');
    this.#completed = true;
    this.#complete(this, written);
  }
}

export interface ChainBuffers {
  readonly readable: ScatteredBytes;
  readonly writable: ScatteredBytes;
}

/** Where descriptors lie: an offset into RAM, and how many there are. */
interface Table {
  readonly offset: number;
  readonly length: number;
}

/** Adds a place in RAM to those of a `ScatteredBytes`; neighbours become one. */
function addPlace(places: number[], offset: number, length: number): void {
  const last = places.length - 2;
  if (last >= 0 && (places[last] as number) + (places[last + 1] as number) === offset) {
    places[last + 1] = (places[last + 1] as number) + length;
  } else {
    places.push(offset, length);
  }
}

export class ChainReader {
  readonly #memory: GuestMemory;
  readonly #ram: DataView;
  readonly #table: Table;
  readonly #indirect: boolean;

  /** @param tableOffset of the queue's descriptor table in RAM; @param indirect whether that feature was negotiated */
  constructor(memory: GuestMemory, tableOffset: number, size: number, indirect: boolean) {
    this.#memory = memory;
    this.#ram = new DataView(memory.bytes.buffer, 0, memory.size);
    this.#table = { offset: tableOffset, length: size };
    this.#indirect = indirect;
  }

  /** The buffers of the chain that starts at `head`, or what is wrong with it. */
  read(head: number): Result<ChainBuffers> {
    const readable: number[] = [];
    const writable: number[] = [];
    let table = this.#table;
    let index = head;
    let bytes = 0;
    for (let count = 1; ; count++) {
      if (index >= table.length) return broken(`descriptor ${index} of ${table.length}`);
      if (count > table.length) return broken('a chain that is a loop');
      const at = table.offset + index * descriptor.size;
      const flags = this.#ram.getUint16(at + descriptor.flags, true);
      const length = this.#ram.getUint32(at + descriptor.length, true);
      const address = this.#address(at);
      if ((flags & descriptorFlag.indirect) !== 0) {
        const inner = this.#indirectTable(table, flags, address, length);
        if (!inner.ok) return inner;
        table = inner.value;
        index = 0;
        count = 0;
        continue;
      }
      const write = (flags & descriptorFlag.write) !== 0;
      if (!write && writable.length > 0) return broken('a readable buffer after a writable one');
      bytes += length;
      if (bytes > maxChainBytes) return broken('a chain of more than 2^32 bytes');
      const offset = this.#memory.ramOffset(address);
      if (!this.#memory.isRam(address, length)) return broken(`a buffer that is not RAM (0x${address.toString(16)})`);
      if (length > 0) addPlace(write ? writable : readable, offset, length);
      if ((flags & descriptorFlag.next) === 0) break;
      index = this.#ram.getUint16(at + descriptor.next, true);
    }
    const ram = this.#memory.bytes;
    return ok({ readable: new ScatteredBytes(ram, readable), writable: new ScatteredBytes(ram, writable) });
  }

  /** Numbers beyond 2^53 lose bits, and are no RAM with or without them. */
  #address(at: number): number {
    const { address } = descriptor;
    return this.#ram.getUint32(at + address + 4, true) * 2 ** 32 + this.#ram.getUint32(at + address, true);
  }

  #indirectTable(current: Table, flags: number, address: number, bytes: number): Result<Table> {
    if (!this.#indirect) return broken('an indirect descriptor that was not negotiated');
    if (current !== this.#table) return broken('an indirect descriptor in an indirect table');
    if ((flags & descriptorFlag.next) !== 0) return broken('an indirect descriptor that goes on');
    const length = bytes / descriptor.size;
    if (!Number.isInteger(length) || length < 1 || length > maxIndirectLength)
      return broken(`an indirect table of ${bytes} bytes`);
    if (!this.#memory.isRam(address, bytes)) return broken('an indirect table that is not RAM');
    return ok({ offset: this.#memory.ramOffset(address), length });
  }
}

const broken = (what: string) => fail('broken-queue', what);
