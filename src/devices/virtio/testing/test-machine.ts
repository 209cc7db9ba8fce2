/** A virtio device with both of its halves in one thread, and a driver that does what a test tells it. */
import assert from 'node:assert/strict';
import type { AccessSize } from '../../../device-model/port-io.ts';
import { allocateCodeWrites, CodeWriteReader, CodeWriteSender } from '../../../memory/code-writes.ts';
import { allocatePageFlags, GuestMemory } from '../../../memory/guest-memory.ts';
import { allocatePageUsers, PageUsers } from '../../../memory/page-users.ts';
import { msix, pciCommand, pciConfig } from '../../../spec/pc/pci.ts';
import { virtioCommon } from '../../../spec/virtio/pci.ts';
import { virtioFeature, virtioStatus } from '../../../spec/virtio/virtio.ts';
import { webAssembly } from '../../../wasm/webassembly.ts';
import { TestLine } from '../../testing/test-board.ts';
import { Doorbells } from '../doorbells.ts';
import { IoSide } from '../io-side.ts';
import { Attention, allocateMailboxes, openMailbox } from '../mailbox.ts';
import { structure } from '../virtio-capabilities.ts';
import type { VirtioDevice } from '../virtio-device.ts';
import { VirtioPci } from '../virtio-pci.ts';
import { DriverQueue } from './driver-queue.ts';

export const ramBytes = 8 << 20;
export const barBase = 0xe000_0000;
const msixBase = 0xe001_0000;
const { acknowledge, driver, driverOk, featuresOk } = virtioStatus;

export class TestMachine {
  readonly memory: GuestMemory;
  /** What the I/O thread sees of the same RAM. */
  readonly ioMemory: GuestMemory;
  readonly pci: VirtioPci;
  readonly io: IoSide;
  readonly irq = new TestLine();
  /** Messages that were sent, as data words. */
  readonly messages: number[] = [];
  /** What the device complained of. */
  readonly reports: string[] = [];
  /** What the device threw. */
  readonly crashes: unknown[] = [];
  readonly codeWrites: CodeWriteReader;
  /** As another processor has them. */
  readonly doorbells: Doorbells;
  readonly device: VirtioDevice;
  /** While true, the machine's thread does not look at what the I/O thread wants. */
  busy = false;
  /** How often the I/O side has asked for a look a little later. */
  looks = 0;
  readonly #attention: Attention;
  #nextFree = 0x10_0000;

  constructor(device: VirtioDevice) {
    const pages = ramBytes >> 16;
    const ram = new webAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const flags = allocatePageFlags(ramBytes);
    this.device = device;
    const users = allocatePageUsers(ramBytes);
    this.memory = new GuestMemory(ram, ramBytes, flags, new PageUsers(users, 0));
    this.ioMemory = new GuestMemory(ram, ramBytes, flags, new PageUsers(users, -1));
    const codeWrites = allocateCodeWrites();
    this.codeWrites = new CodeWriteReader(codeWrites, 0);
    const descriptions = [device.description];
    const mailboxes = allocateMailboxes(descriptions);
    this.#attention = new Attention(mailboxes, 'machine');
    const wakeIo = (): void => queueMicrotask(() => this.io.serve());
    this.pci = new VirtioPci(device.description, {
      mailbox: openMailbox(mailboxes, descriptions, 0),
      irq: this.irq,
      msi: { deliver: (_address, data) => void this.messages.push(data) },
      wakeIo: () => {
        if (new Attention(mailboxes, 'io').ask(0)) wakeIo();
      },
    });
    this.doorbells = new Doorbells(mailboxes, descriptions, wakeIo);
    const wakeMachine = (): void => this.serve();
    this.io = new IoSide({
      memory: this.ioMemory,
      mailboxes,
      devices: [device],
      codeWrites: new CodeWriteSender(codeWrites, 1, wakeMachine),
      wakeMachine,
      soon: (task) => {
        this.looks++;
        setImmediate(task);
      },
      report: (_device, reason) => void this.reports.push(reason),
      crashed: (error) => void this.crashes.push(error),
    });
    this.pci.reset();
    const command = pciCommand.memory | pciCommand.busMaster;
    this.pci.pciFunction.writeConfig(pciConfig.bar0, 4, barBase);
    this.pci.pciFunction.writeConfig(pciConfig.bar0 + 4, 4, msixBase);
    this.pci.pciFunction.writeConfig(pciConfig.command, 2, command);
  }

  /** What the machine's thread does between two slices. */
  serve(): void {
    if (this.busy) return;
    this.codeWrites.serve((offset, length) => this.memory.dropCode(offset, length));
    for (const _ of this.#attention.take()) this.pci.serve();
  }

  read(offset: number, size: AccessSize): number {
    const hit = this.pci.pciFunction.claim('memory', barBase + offset, size);
    assert.ok(hit);
    return hit.region.read(hit.offset, size);
  }

  write(offset: number, size: AccessSize, value: number): void {
    const hit = this.pci.pciFunction.claim('memory', barBase + offset, size);
    assert.ok(hit);
    hit.region.write(hit.offset, size, value);
  }

  get status(): number {
    return this.read(virtioCommon.deviceStatus, 1);
  }

  set status(value: number) {
    this.write(virtioCommon.deviceStatus, 1, value);
  }

  /** Reserves guest RAM. @returns its address, a multiple of 4096 */
  allocate(bytes: number): number {
    const at = this.#nextFree;
    this.#nextFree += Math.ceil(bytes / 4096) * 4096;
    assert.ok(this.#nextFree <= ramBytes, 'the test machine is out of RAM');
    return at;
  }

  offeredFeatures(): bigint {
    const half = (select: number): bigint => {
      this.write(virtioCommon.deviceFeatureSelect, 4, select);
      return BigInt(this.read(virtioCommon.deviceFeature, 4));
    };
    return half(0) | (half(1) << 32n);
  }

  /** @returns whether the device accepts them */
  negotiate(features: bigint): boolean {
    this.status = acknowledge | driver;
    for (const select of [0, 1]) {
      this.write(virtioCommon.driverFeatureSelect, 4, select);
      this.write(virtioCommon.driverFeature, 4, Number((features >> BigInt(32 * select)) & 0xffff_ffffn));
    }
    this.status = acknowledge | driver | featuresOk;
    return (this.status & featuresOk) !== 0;
  }

  /** Sets the MSI-X table up: vector v sends v. */
  enableMsix(vectors: number): void {
    for (let vector = 0; vector < vectors; vector++) {
      const hit = this.pci.pciFunction.claim('memory', msixBase + vector * msix.entrySize, 4);
      assert.ok(hit);
      hit.region.write(hit.offset + msix.addressLow, 4, 0xfee0_0000);
      hit.region.write(hit.offset + msix.data, 4, vector);
      hit.region.write(hit.offset + msix.vectorControl, 4, 0);
    }
    // The first capability.
    const at = this.pci.pciFunction.readConfig(pciConfig.capabilities, 1);
    this.pci.pciFunction.writeConfig(at + msix.control, 2, msix.enable);
  }

  /** Puts a queue into guest RAM and enables it, with vector `index` + 1; `spoil` may move its parts. */
  setUpQueue(index: number, size: number, spoil: (queue: DriverQueue) => void = () => {}): DriverQueue {
    const queue = new DriverQueue(this, index, size);
    spoil(queue);
    this.write(virtioCommon.queueSelect, 2, index);
    this.write(virtioCommon.queueSize, 2, size);
    this.write(virtioCommon.queueVector, 2, index + 1);
    for (const [field, address] of [
      [virtioCommon.queueDescriptors, queue.descriptors],
      [virtioCommon.queueDriver, queue.available],
      [virtioCommon.queueDevice, queue.used],
    ] as const) {
      this.write(field, 4, address % 2 ** 32);
      this.write(field + 4, 4, Math.floor(address / 2 ** 32));
    }
    this.write(virtioCommon.queueEnable, 2, 1);
    return queue;
  }

  /** Negotiates, sets up every queue, and tells the device that the driver is up. */
  async bringUp(
    features: bigint,
    sizes: readonly number[] = this.device.description.queueSizes,
  ): Promise<DriverQueue[]> {
    assert.ok(this.negotiate(features | virtioFeature.version1), 'the device refuses the features');
    this.enableMsix(sizes.length + 1);
    this.write(virtioCommon.configVector, 2, 0);
    const queues = sizes.map((size, index) => this.setUpQueue(index, size));
    this.status = acknowledge | driver | featuresOk | driverOk;
    await turn();
    return queues;
  }

  ring(queue: number): void {
    this.write(structure.notify + queue * structure.notifyMultiplier, 2, queue);
  }

  /** Waits until `condition` holds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    for (let patience = 10_000; !condition(); patience--) {
      assert.ok(patience > 0, `in vain for ${what}`);
      await turn();
    }
  }
}

/** Lets everything run that does not wait for the host. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
