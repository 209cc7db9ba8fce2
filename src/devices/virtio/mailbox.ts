/**
 * The shared memory between the two halves of the virtio devices: the registers on the machine's thread, the logic on
 * the I/O thread. Each half notes what it wants in the device's words, then the device in the other half's word of
 * attention, then wakes it.
 */

import { pageSize } from '../../memory/guest-memory.ts';
import type { VirtioDescription } from './virtio-device.ts';
import type { QueueLayout } from './virtqueue.ts';

/** As many as attention words and PCI device numbers have room for. */
const maxVirtioDevices = 24;
const maxQueues = 64;

/** Bits of `requests`: what the registers want of the logic. */
export const request = { start: 1, reset: 2, config: 4 } as const;

/** Bits of `events`: what the logic wants of the registers. */
export const event = { config: 1 } as const;

/** Words of a device. */
const word = {
  requests: 0,
  events: 1,
  /** 1 from the request for a reset until it is done. */
  resetting: 2,
  needsReset: 3,
  /** Odd while the configuration changes. */
  generation: 4,
  featuresLow: 5,
  featuresHigh: 6,
  /** A bit for each queue: the driver has rung; the device has used buffers that the driver wants to hear of. */
  doorbells: 8,
  used: 10,
  /** The page of physical memory where the driver rings; 0: nowhere. */
  doorbellPage: 12,
  queues: 13,
} as const;
const queueWords = 8;
/** Words before the devices: which devices want attention on the I/O thread and on the machine's. */
const headerWords = 4;

/** @returns the size of a device's part in words */
const sizeOf = ({ queueSizes, config }: VirtioDescription): number =>
  word.queues + queueSizes.length * queueWords + Math.ceil(config.length / 4);

/** @throws if there are more devices or queues than the transport can do: that is a bug of ours. */
export function allocateMailboxes(devices: readonly VirtioDescription[]): SharedArrayBuffer {
  if (devices.length > maxVirtioDevices) throw new Error(`${devices.length} virtio devices`);
  if (devices.some(({ queueSizes }) => queueSizes.length > maxQueues)) throw new Error('too many queues');
  const buffer = new SharedArrayBuffer(4 * devices.reduce((sum, device) => sum + sizeOf(device), headerWords));
  devices.forEach(({ config }, number) => {
    openMailbox(buffer, devices, number).config.set(config);
  });
  return buffer;
}

/** Which devices want a thread's attention. */
export class Attention {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #word: number;

  constructor(buffer: SharedArrayBuffer, side: 'io' | 'machine') {
    this.#words = new Int32Array(buffer, 0, headerWords);
    this.#word = side === 'io' ? 0 : 1;
  }

  /** @returns whether the thread has to be woken: it has taken everything that was there before */
  ask(device: number): boolean {
    return Atomics.or(this.#words, this.#word, 1 << device) === 0;
  }

  get wanted(): boolean {
    return Atomics.load(this.#words, this.#word) !== 0;
  }

  /** The numbers of the devices that have asked since the last call. */
  *take(): Generator<number> {
    for (let bits = Atomics.exchange(this.#words, this.#word, 0); bits !== 0; bits &= bits - 1)
      yield 31 - Math.clz32(bits & -bits);
  }
}

/** One device's part. */
export class Mailbox {
  readonly config: Uint8Array<SharedArrayBuffer>;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer, firstWord: number, description: VirtioDescription) {
    const size = sizeOf(description);
    const configWords = Math.ceil(description.config.length / 4);
    this.#words = new Int32Array(buffer, firstWord * 4, size);
    this.config = new Uint8Array(buffer, (firstWord + size - configWords) * 4, description.config.length);
  }

  /** Adds bits of `request`. */
  addRequests(bits: number): void {
    Atomics.or(this.#words, word.requests, bits);
  }

  takeRequests(): number {
    return Atomics.exchange(this.#words, word.requests, 0);
  }

  /** Adds bits of `event`. */
  addEvents(bits: number): void {
    Atomics.or(this.#words, word.events, bits);
  }

  takeEvents(): number {
    return Atomics.exchange(this.#words, word.events, 0);
  }

  get resetting(): boolean {
    return Atomics.load(this.#words, word.resetting) !== 0;
  }

  set resetting(on: boolean) {
    Atomics.store(this.#words, word.resetting, on ? 1 : 0);
  }

  get needsReset(): boolean {
    return Atomics.load(this.#words, word.needsReset) !== 0;
  }

  set needsReset(on: boolean) {
    Atomics.store(this.#words, word.needsReset, on ? 1 : 0);
  }

  /** Even numbers are states, odd ones are on the way between two. */
  get generation(): number {
    return Atomics.load(this.#words, word.generation);
  }

  changeConfig(offset: number, bytes: Uint8Array): void {
    Atomics.add(this.#words, word.generation, 1);
    this.config.set(bytes, offset);
    Atomics.add(this.#words, word.generation, 1);
  }

  get features(): bigint {
    const low = BigInt((this.#words[word.featuresLow] as number) >>> 0);
    return (BigInt((this.#words[word.featuresHigh] as number) >>> 0) << 32n) | low;
  }

  set features(bits: bigint) {
    this.#words[word.featuresLow] = Number(BigInt.asIntN(32, bits));
    this.#words[word.featuresHigh] = Number(BigInt.asIntN(32, bits >> 32n));
  }

  /** The layout of a queue; undefined while it is disabled. */
  queue(index: number): QueueLayout | undefined {
    const at = word.queues + index * queueWords;
    const [size = 0, ...halves] = this.#words.subarray(at, at + 7);
    if (size === 0) return undefined;
    const address = (n: number): number => ((halves[n + 1] ?? 0) >>> 0) * 2 ** 32 + ((halves[n] ?? 0) >>> 0);
    return { size, descriptors: address(0), available: address(2), used: address(4) };
  }

  setQueue(index: number, layout: QueueLayout | undefined): void {
    const { size, descriptors, available, used } = layout ?? { size: 0, descriptors: 0, available: 0, used: 0 };
    const halves = [descriptors, available, used].flatMap((address) => [address % 2 ** 32, address / 2 ** 32]);
    this.#words.set([size, ...halves], word.queues + index * queueWords);
  }

  /** Physical address of the doorbells' page; 0 while the guest has given them no place. */
  get doorbellAddress(): number {
    return (Atomics.load(this.#words, word.doorbellPage) >>> 0) * pageSize;
  }

  set doorbellAddress(address: number) {
    Atomics.store(this.#words, word.doorbellPage, address / pageSize);
  }

  ring(queue: number): void {
    Atomics.or(this.#words, word.doorbells + (queue >> 5), 1 << (queue & 31));
  }

  /** The queues that were rung since the last call. */
  takeDoorbells(): number[] {
    return this.#takeBits(word.doorbells);
  }

  noteUsed(queue: number): void {
    Atomics.or(this.#words, word.used + (queue >> 5), 1 << (queue & 31));
  }

  /** The queues of which the driver wants to hear. */
  takeUsed(): number[] {
    return this.#takeBits(word.used);
  }

  #takeBits(first: number): number[] {
    const queues: number[] = [];
    for (let half = 0; half < 2; half++) {
      if (Atomics.load(this.#words, first + half) === 0) continue;
      for (let bits = Atomics.exchange(this.#words, first + half, 0); bits !== 0; bits &= bits - 1)
        queues.push(half * 32 + 31 - Math.clz32(bits & -bits));
    }
    return queues;
  }
}

export function openMailbox(buffer: SharedArrayBuffer, devices: readonly VirtioDescription[], number: number): Mailbox {
  const first = devices.slice(0, number).reduce((sum, device) => sum + sizeOf(device), headerWords);
  return new Mailbox(buffer, first, devices[number] as VirtioDescription);
}
