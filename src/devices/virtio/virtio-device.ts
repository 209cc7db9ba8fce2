/**
 * The contract of a virtio device: what it tells about itself, and how it is run. A device is logic without registers;
 * it lives on the I/O thread, where it may wait for the host, and never sees the transport. See README.md for how to
 * add one.
 */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import type { Virtqueue } from './virtqueue.ts';

/** What the transport has to know before the guest runs: plain data, for it goes to the machine's thread. */
export interface VirtioDescription {
  /** VIRTIO 1.2 chapter 5; `spec/virtio/virtio.ts` has the numbers. */
  readonly deviceId: number;
  /** 24-bit PCI class code: what the guest lists the device as. */
  readonly classCode: number;
  /** Feature bits of the device type; the transport adds its own. */
  readonly features: bigint;
  /** Largest size of each queue, powers of two up to 32768; at most 64 queues. */
  readonly queueSizes: readonly number[];
  /** The device-specific configuration structure as the guest finds it first; a multiple of 4 bytes. */
  readonly config: Uint8Array;
  /** The bytes of it that the driver may change; none if absent. */
  readonly writableConfig?: { readonly offset: number; readonly length: number };
}

/** What a device asks of the side that it is plugged into. */
export interface VirtioTransport {
  /** Guest RAM, for devices that get addresses by other ways than queues. */
  readonly memory: GuestMemory;
  /** The configuration structure as it is now, with what the driver has written to it: a copy. */
  readConfig(): Uint8Array<ArrayBuffer>;
  /** Changes configuration bytes, and tells a driver that is up (configuration change notification). */
  updateConfig(offset: number, bytes: Uint8Array): void;
  /** The device has written to guest RAM by other ways than a chain. Offset into RAM and length are bytes. */
  wrote(offset: number, length: number): void;
  /** Follows what the device does by itself: if it throws, that is a bug of ours, which ends the machine. */
  watch(task: Promise<unknown>): void;
  /** The driver broke a rule: the device stops until it is reset (DEVICE_NEEDS_RESET). VIRTIO 1.2 2.1.1. */
  fail(reason: string): void;
}

/**
 * All calls come on the I/O thread, one after the other: `attach` once; then rounds of `start`, any number of `notify`
 * and `configWritten`, `stop`. None of them may throw on anything that a guest did.
 */
export interface VirtioDevice {
  readonly description: VirtioDescription;
  attach(transport: VirtioTransport): void;
  /**
   * The driver is up (DRIVER_OK).
   * @param queues by their number; undefined where the driver left a queue disabled
   * @param features of the device type and the transport, as negotiated
   */
  start(queues: readonly (Virtqueue | undefined)[], features: bigint): void;
  /** The driver has made buffers available: `take` them until there are none. Spurious calls happen. */
  notify(queue: number): void;
  /** The driver has written to the configuration structure. */
  configWritten?(): void;
  /**
   * Reset, or the end of the machine. Resolves when nothing reads or writes guest RAM for this device any more; chains
   * that were not completed are forgotten, and completing one of them later does nothing.
   */
  stop(): Promise<void>;
}
