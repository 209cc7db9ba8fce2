/** The common configuration structure: features, status and queues, as driver and device agree on them. VIRTIO 1.2 4.1.4.3. */
import type { AccessSize } from '../../device-model/port-io.ts';
import { virtioCommon, virtioNoVector } from '../../spec/virtio/pci.ts';
import { virtioFeature, virtioStatus } from '../../spec/virtio/virtio.ts';
import { type Mailbox, request } from './mailbox.ts';
import { QueueRegisters } from './queue-registers.ts';
import type { VirtioDescription } from './virtio-device.ts';

/** Every field by its offset, with its width. */
const fields = [
  [virtioCommon.deviceFeatureSelect, 4],
  [virtioCommon.deviceFeature, 4],
  [virtioCommon.driverFeatureSelect, 4],
  [virtioCommon.driverFeature, 4],
  [virtioCommon.configVector, 2],
  [virtioCommon.queueCount, 2],
  [virtioCommon.deviceStatus, 1],
  [virtioCommon.configGeneration, 1],
  [virtioCommon.queueSelect, 2],
  [virtioCommon.queueSize, 2],
  [virtioCommon.queueVector, 2],
  [virtioCommon.queueEnable, 2],
  [virtioCommon.queueNotifyOffset, 2],
  [virtioCommon.queueDescriptors, 4],
  [virtioCommon.queueDescriptors + 4, 4],
  [virtioCommon.queueDriver, 4],
  [virtioCommon.queueDriver + 4, 4],
  [virtioCommon.queueDevice, 4],
  [virtioCommon.queueDevice + 4, 4],
] as const;

const { acknowledge, driver, driverOk, featuresOk, failed } = virtioStatus;
const settableStatus = acknowledge | driver | driverOk | featuresOk | failed;

/** Two reads of the generation are less than this many changes apart. */
const changingGenerations = 64;

export interface CommonPort {
  readonly mailbox: Mailbox;
  /** How many MSI-X vectors there are. */
  readonly vectors: number;
  /** Passes bits of `request` to the I/O thread. */
  ask(requests: number): void;
  /** The driver resets the device. */
  deviceReset(): void;
}

export class CommonRegisters {
  readonly #port: CommonPort;
  readonly #offered: bigint;
  readonly #queueCount: number;
  readonly #queues: QueueRegisters;
  #status = 0;
  #driverFeatures = 0n;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;
  #configVector: number = virtioNoVector;
  /** Whether the I/O thread runs the device, or has been told to. */
  #started = false;
  /** What the status was before the reset that is under way. */
  #oldStatus = 0;
  #generationReads = 0;

  constructor(description: VirtioDescription, port: CommonPort) {
    const { indirectDescriptors, eventIndex, version1 } = virtioFeature;
    this.#port = port;
    this.#offered = description.features | indirectDescriptors | eventIndex | version1;
    this.#queueCount = description.queueSizes.length;
    this.#queues = new QueueRegisters(description.queueSizes);
  }

  /** The driver is up, and no reset is under way. */
  get running(): boolean {
    return this.#started && !this.#port.mailbox.resetting;
  }

  get configVector(): number {
    return this.#configVector;
  }

  queueVector(queue: number): number {
    return this.#queues.vector(queue);
  }

  isEnabled(queue: number): boolean {
    return this.#queues.isEnabled(queue);
  }

  /** Whatever part of whatever fields the access covers. */
  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (const [at, width] of fields) {
      if (at + width <= offset || at >= offset + size) continue;
      const whole = this.#readField(at);
      for (let byte = Math.max(at, offset); byte < Math.min(at + width, offset + size); byte++)
        value += ((whole >>> (8 * (byte - at))) & 0xff) * 256 ** (byte - offset);
    }
    return value;
  }

  /** Changes the fields that the access covers whole. While a reset is under way nothing changes. */
  write(offset: number, size: AccessSize, value: number): void {
    if (this.#port.mailbox.resetting) return;
    for (const [at, width] of fields) {
      if (at < offset || at + width > offset + size) continue;
      const shifted = value >>> (8 * (at - offset));
      this.#writeField(at, width === 4 ? shifted : shifted & ((1 << (8 * width)) - 1));
    }
  }

  reset(): void {
    if (this.#started) {
      this.#oldStatus = this.#status;
      this.#port.mailbox.resetting = true;
      this.#port.ask(request.reset);
    }
    this.#started = false;
    this.#status = 0;
    this.#driverFeatures = 0n;
    this.#deviceFeatureSelect = 0;
    this.#driverFeatureSelect = 0;
    this.#configVector = virtioNoVector;
    this.#queues.reset();
    this.#port.deviceReset();
  }

  #readField(at: number): number {
    switch (at) {
      case virtioCommon.deviceFeatureSelect:
        return this.#deviceFeatureSelect;
      case virtioCommon.deviceFeature:
        return wordOf(this.#offered, this.#deviceFeatureSelect);
      case virtioCommon.driverFeatureSelect:
        return this.#driverFeatureSelect;
      case virtioCommon.driverFeature:
        return wordOf(this.#driverFeatures, this.#driverFeatureSelect);
      case virtioCommon.configVector:
        return this.#configVector;
      case virtioCommon.queueCount:
        return this.#queueCount;
      case virtioCommon.deviceStatus:
        return this.#readStatus();
      case virtioCommon.configGeneration:
        return this.#readGeneration();
      default:
        return this.#queues.read(at);
    }
  }

  #writeField(at: number, value: number): void {
    switch (at) {
      case virtioCommon.deviceFeatureSelect:
        this.#deviceFeatureSelect = value;
        break;
      case virtioCommon.driverFeatureSelect:
        this.#driverFeatureSelect = value;
        break;
      case virtioCommon.driverFeature:
        this.#writeFeatures(value);
        break;
      case virtioCommon.configVector:
        this.#configVector = value < this.#port.vectors ? value : virtioNoVector;
        break;
      case virtioCommon.deviceStatus:
        this.#writeStatus(value);
        break;
      default:
        this.#queues.write(at, value, this.#port.vectors);
    }
  }

  /** What was agreed on stays. */
  #writeFeatures(value: number): void {
    if ((this.#status & featuresOk) !== 0 || this.#driverFeatureSelect > 1) return;
    const shift = BigInt(32 * this.#driverFeatureSelect);
    const others = this.#driverFeatures & ~(0xffff_ffffn << shift);
    this.#driverFeatures = others | (BigInt(value) << shift);
  }

  /** Until a reset is done it is what it was: the driver waits for 0. 4.1.4.3.1. */
  #readStatus(): number {
    const { mailbox } = this.#port;
    if (mailbox.resetting) return this.#oldStatus;
    return this.#status | (mailbox.needsReset ? virtioStatus.needsReset : 0);
  }

  /** Bits are only added. Features that nobody offered leave FEATURES_OK out, and so DRIVER_OK. 3.1.1. */
  #writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    let added = value & settableStatus & ~this.#status;
    const acceptable =
      (this.#driverFeatures & ~this.#offered) === 0n && (this.#driverFeatures & virtioFeature.version1) !== 0n;
    if (!acceptable) added &= ~featuresOk;
    if (((this.#status | added) & featuresOk) === 0) added &= ~driverOk;
    this.#status |= added;
    if ((added & driverOk) !== 0) this.#start();
  }

  #start(): void {
    const { mailbox } = this.#port;
    mailbox.features = this.#driverFeatures;
    for (const [queue, layout] of this.#queues.layouts().entries()) mailbox.setQueue(queue, layout);
    this.#started = true;
    this.#port.ask(request.start);
  }

  /** While the configuration changes no two reads agree, so that the driver reads it again. 4.1.4.3.1. */
  #readGeneration(): number {
    const { generation } = this.#port.mailbox;
    if ((generation & 1) === 0) return (generation >> 1) & 0xff;
    this.#generationReads = (this.#generationReads + 1) % changingGenerations;
    return ((generation >> 1) + 2 + this.#generationReads) & 0xff;
  }
}

/** 32 bits of a feature set; those beyond 64 are 0. */
const wordOf = (features: bigint, select: number): number =>
  select > 1 ? 0 : Number((features >> BigInt(32 * select)) & 0xffff_ffffn);
