/**
 * The device's end of a split virtqueue in guest RAM. The guest can write anything to it at any time: whatever breaks
 * the rules stops the device (DEVICE_NEEDS_RESET) and touches nothing else. Source: VIRTIO 1.2 2.7.
 */
import type { GuestMemory, RamPlace } from '../../memory/guest-memory.ts';
import { availableRing, descriptor, ringAlignment, usedRing } from '../../spec/virtio/ring.ts';
import { maxQueueSize, virtioFeature } from '../../spec/virtio/virtio.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { ChainReader, DescriptorChain } from './descriptor-chain.ts';

/** Where the driver has put a queue: guest-physical addresses. */
export interface QueueLayout {
  readonly size: number;
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
}

/** What a queue asks of its device's session. */
export interface QueuePort {
  /** The driver is to be told that there are used buffers. */
  interrupt(): void;
  /** The driver broke the rules of the queue. */
  fail(reason: string): void;
  /**
   * Has processors drop what they decoded from these places in RAM.
   * @param done called when they have; at once if none knows anything of them
   */
  dropCode(places: readonly RamPlace[], done: () => void): void;
  /** The queue wants `settle` to be called a little later. */
  unsettled(): void;
}

interface Used {
  readonly head: number;
  readonly written: number;
  readonly group: UsedGroup;
}

/** Chains that the driver must see used at once. */
interface UsedGroup {
  /** How many of them have overwritten what processors may still run as code. */
  stale: number;
  /** Whether more of them come. */
  open: boolean;
}

/** Whether the index passes `event` on its way from `before` to `after`. 2.7.7.2, 2.7.10. */
const passes = (event: number, after: number, before: number): boolean =>
  ((after - event - 1) & 0xffff) < ((after - before) & 0xffff);

const isReady = ({ stale, open }: UsedGroup): boolean => stale === 0 && !open;

export class Virtqueue {
  readonly index: number;
  readonly size: number;
  readonly #port: QueuePort;
  readonly #memory: GuestMemory;
  readonly #chains: ChainReader;
  readonly #eventIndex: boolean;
  readonly #ram: DataView;
  /** RAM as 16-bit words, for the accesses whose order counts. */
  readonly #words: Uint16Array<SharedArrayBuffer>;
  /** Offsets into RAM. */
  readonly #available: number;
  readonly #used: number;
  /** Where the device is in the available ring, and in the used ring; modulo 2^16. */
  #nextAvailable = 0;
  #nextUsed = 0;
  /** The used index at the last look at whether the driver wants an interrupt, and at the last `settle`. */
  #signalled = 0;
  #settled = 0;
  /** The available index that `settle` told of last, while no chain has been taken since; -1: none. */
  #toldOf = -1;
  #inFlight = 0;
  #notifies = true;
  #stopped = false;
  /** What chains belong to that are completed now. */
  #group: UsedGroup | undefined;
  /** Completed chains in order, behind the first whose writes processors have not noticed yet. */
  readonly #waiting: Used[] = [];

  /** Use `open`, which checks the layout. */
  constructor(index: number, offsets: QueueLayout, features: bigint, memory: GuestMemory, port: QueuePort) {
    this.index = index;
    this.size = offsets.size;
    this.#port = port;
    this.#memory = memory;
    this.#available = offsets.available;
    this.#used = offsets.used;
    this.#eventIndex = (features & virtioFeature.eventIndex) !== 0n;
    this.#ram = new DataView(memory.bytes.buffer, 0, memory.size);
    this.#words = new Uint16Array(memory.memory.buffer, 0, memory.size / 2);
    const indirect = (features & virtioFeature.indirectDescriptors) !== 0n;
    this.#chains = new ChainReader(memory, offsets.descriptors, this.size, indirect);
    this.#setNotifications(true);
  }

  /** Errors: kind `broken-queue`, a layout that no driver may set up. */
  static open(
    index: number,
    layout: QueueLayout,
    features: bigint,
    memory: GuestMemory,
    port: QueuePort,
  ): Result<Virtqueue> {
    const { size } = layout;
    if (size < 1 || size > maxQueueSize || (size & (size - 1)) !== 0)
      return fail('broken-queue', `queue ${index} of ${size} entries`);
    const parts = [
      [layout.descriptors, size * descriptor.size, ringAlignment.descriptors],
      [layout.available, availableRing.ring + size * availableRing.entrySize + 2, ringAlignment.available],
      [layout.used, usedRing.ring + size * usedRing.entrySize + 2, ringAlignment.used],
    ] as const;
    for (const [address, bytes, alignment] of parts) {
      if (address % alignment !== 0 || !memory.isRam(address, bytes))
        return fail('broken-queue', `a part of queue ${index} at 0x${address.toString(16)}`);
    }
    const [descriptors, available, used] = parts.map(([address]) => memory.ramOffset(address)) as [
      number,
      number,
      number,
    ];
    return ok(new Virtqueue(index, { size, descriptors, available, used }, features, memory, port));
  }

  /**
   * The next chain that the driver has made available. While chains keep coming the driver does not notify; once there
   * is none (undefined) it notifies the device of the next.
   */
  take(): DescriptorChain | undefined {
    if (this.#stopped) return undefined;
    if (this.#pending() === 0) {
      this.#setNotifications(true);
      this.#port.unsettled();
      if (this.#pending() === 0) return undefined;
    }
    if (this.#pending() > this.size) return this.#broken('an available index that jumped');
    if (this.#inFlight >= this.size) return this.#broken('more buffers in flight than the queue has');
    this.#setNotifications(false);
    this.#toldOf = -1;
    const slot = this.#nextAvailable & (this.size - 1);
    const head = this.#ram.getUint16(this.#available + availableRing.ring + slot * availableRing.entrySize, true);
    const buffers = this.#chains.read(head);
    if (!buffers.ok) return this.#broken(buffers.error.message);
    this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
    this.#inFlight++;
    const { readable, writable } = buffers.value;
    return new DescriptorChain(head, readable, writable, (chain, written) => this.#complete(chain, written));
  }

  /** The driver sees all chains used, or none, that are completed in `run`: buffers that belong together. */
  together(run: () => void): void {
    const group: UsedGroup = { stale: 0, open: true };
    this.#group = group;
    run();
    this.#group = undefined;
    group.open = false;
    this.#useWaiting();
  }

  /** Whether `take` would give a chain; looks, and changes nothing. */
  get hasAvailable(): boolean {
    return !this.#stopped && this.#pending() !== 0;
  }

  /** Nothing of this queue in guest RAM changes any more. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
  }

  /**
   * Looks again at what the driver may have written before it could see what the device wrote: a guest's fences are
   * none to other threads. @returns whether buffers are available that the driver may not have notified of; the same ones
   * once only, for a device may leave them (those for receiving) and look at another queue instead, which asks for this again
   */
  settle(): boolean {
    if (this.#stopped) return false;
    if (this.#settled !== this.#nextUsed && this.#wantsInterrupt(this.#settled)) this.#port.interrupt();
    this.#settled = this.#nextUsed;
    const pending = this.#pending();
    const index = (this.#nextAvailable + pending) & 0xffff;
    if (!this.#notifies || pending === 0 || index === this.#toldOf) return false;
    this.#toldOf = index;
    return true;
  }

  #broken(reason: string): undefined {
    this.stop();
    this.#port.fail(`queue ${this.index}: ${reason}`);
    return undefined;
  }

  #pending(): number {
    const index = Atomics.load(this.#words, (this.#available + availableRing.index) >>> 1);
    return (index - this.#nextAvailable) & 0xffff;
  }

  /** Says whether the driver is to notify. With event indexes, an old one does: it lies a whole round ahead. 2.7.10. */
  #setNotifications(on: boolean): void {
    if (this.#eventIndex) {
      if (on) this.#store(this.#used + usedRing.ring + this.size * usedRing.entrySize, this.#nextAvailable);
    } else if (on !== this.#notifies) {
      this.#store(this.#used + usedRing.flags, on ? 0 : usedRing.noNotify);
    }
    this.#notifies = on;
  }

  #store(offset: number, value: number): void {
    Atomics.store(this.#words, offset >>> 1, value);
    this.#publish(offset, 2);
  }

  /** Marks a write to the used ring. A ring that lies on code is nothing to wait for. */
  #publish(offset: number, length: number): void {
    const code = this.#memory.publishWrite(offset, length);
    if (code.length > 0) this.#port.dropCode(code, () => {});
  }

  #complete(chain: DescriptorChain, written: number): void {
    if (this.#stopped) return;
    const group = this.#group ?? { stale: 0, open: false };
    const used: Used = { head: chain.head, written: Math.min(written, chain.writable.length), group };
    const code: RamPlace[] = [];
    chain.writable.each((offset, length) => this.#memory.publishWrite(offset, length, code));
    this.#waiting.push(used);
    if (code.length > 0) {
      group.stale++;
      this.#port.dropCode(code, () => {
        group.stale--;
        this.#useWaiting();
      });
    }
    this.#useWaiting();
  }

  #useWaiting(): void {
    if (this.#stopped) return;
    let count = 0;
    for (let next = this.#waiting[0]; next !== undefined && isReady(next.group); next = this.#waiting[count]) {
      this.#writeUsed(next);
      count++;
    }
    if (count === 0) return;
    this.#waiting.splice(0, count);
    this.#inFlight -= count;
    this.#store(this.#used + usedRing.index, this.#nextUsed);
    const before = this.#signalled;
    this.#signalled = this.#nextUsed;
    if (!this.#wantsInterrupt(before)) {
      this.#port.unsettled();
      return;
    }
    this.#settled = this.#nextUsed;
    this.#port.interrupt();
  }

  #writeUsed({ head, written }: Used): void {
    const slot = this.#nextUsed & (this.size - 1);
    const at = this.#used + usedRing.ring + slot * usedRing.entrySize;
    this.#ram.setUint32(at, head, true);
    this.#ram.setUint32(at + 4, written, true);
    this.#publish(at, usedRing.entrySize);
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
  }

  /** Whether the driver wants to hear of what was used since the used index was `before`. 2.7.7.2. */
  #wantsInterrupt(before: number): boolean {
    if (!this.#eventIndex) {
      const flags = Atomics.load(this.#words, (this.#available + availableRing.flags) >>> 1);
      return (flags & availableRing.noInterrupt) === 0;
    }
    const event = this.#available + availableRing.ring + this.size * availableRing.entrySize;
    return passes(Atomics.load(this.#words, event >>> 1), this.#nextUsed, before);
  }
}
