/**
 * A virtio device as a PCI function, on the machine's thread. Its registers answer from what is here and in the
 * mailbox; the device itself lives on the I/O thread. Source: VIRTIO 1.2 4.1.
 */
import type { IrqLine, MsiTarget } from '../../device-model/interrupt.ts';
import type { AccessSize } from '../../device-model/port-io.ts';
import { virtioIsr, virtioNoVector, virtioPciId } from '../../spec/virtio/pci.ts';
import { Msix } from '../pci/msix.ts';
import { PciFunction, type PciRegion } from '../pci/pci-function.ts';
import { CommonRegisters } from './common-registers.ts';
import { event, type Mailbox, request } from './mailbox.ts';
import { addVirtioCapabilities, type PciWindow, structure } from './virtio-capabilities.ts';
import type { VirtioDescription } from './virtio-device.ts';

export interface VirtioPciWiring {
  readonly mailbox: Mailbox;
  /** INTA#. */
  readonly irq: IrqLine;
  readonly msi: MsiTarget;
  /** Has the I/O thread look at the mailbox. */
  readonly wakeIo: () => void;
}

const msixBar = 1;

export class VirtioPci {
  readonly pciFunction: PciFunction;
  readonly #mailbox: Mailbox;
  readonly #wakeIo: () => void;
  readonly #writableConfig: { readonly offset: number; readonly length: number };
  readonly #msix: Msix;
  readonly #common: CommonRegisters;
  readonly #window: PciWindow;
  readonly #region: PciRegion;
  #isr = 0;

  constructor(description: VirtioDescription, wiring: VirtioPciWiring) {
    this.#mailbox = wiring.mailbox;
    this.#wakeIo = wiring.wakeIo;
    this.#writableConfig = description.writableConfig ?? { offset: 0, length: 0 };
    const vectors = description.queueSizes.length + 1;
    this.#msix = new Msix(vectors, msixBar, wiring.msi);
    this.#common = new CommonRegisters(description, {
      mailbox: wiring.mailbox,
      vectors,
      ask: (requests) => this.#ask(requests),
      deviceReset: () => this.#readIsr(),
    });
    const region: PciRegion = {
      bar: structure.bar,
      kind: 'memory',
      size: structure.barBytes,
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    };
    this.#region = region;
    const deviceId = virtioPciId.firstDevice + description.deviceId;
    const { classCode } = description;
    const { vendor, revision } = virtioPciId;
    this.pciFunction = new PciFunction(
      { vendorId: vendor, deviceId, revision, classCode, subsystemVendorId: vendor, subsystemId: deviceId },
      {
        regions: [region, this.#msix.region],
        interrupt: { pin: 1, line: wiring.irq },
        onConfigRead: (offset, size) => this.#window.beforeRead(offset, size),
        onConfigWrite: (offset, size) => {
          this.#msix.configWritten();
          this.#placeDoorbells();
          this.#window.afterWrite(offset, size);
        },
      },
    );
    this.#msix.attach(this.pciFunction);
    this.#window = addVirtioCapabilities(this.pciFunction, region, description);
  }

  /** RESET of the board. */
  reset(): void {
    this.#common.reset();
    this.#msix.reset();
    this.pciFunction.reset();
    this.#placeDoorbells();
  }

  /** Other processors ring by themselves; see `Doorbells`. */
  #placeDoorbells(): void {
    const base = this.pciFunction.decodedBase(this.#region);
    this.#mailbox.doorbellAddress = base === undefined ? 0 : base + structure.notify;
  }

  /** Takes what the I/O thread has noted in the mailbox. */
  serve(): void {
    const events = this.#mailbox.takeEvents();
    const used = this.#mailbox.takeUsed();
    if (!this.#common.running) return;
    if ((events & event.config) !== 0) this.#interrupt(this.#common.configVector, virtioIsr.config);
    for (const queue of used) this.#interrupt(this.#common.queueVector(queue), virtioIsr.queue);
  }

  #interrupt(vector: number, isr: number): void {
    if (this.#msix.enabled) {
      if (vector !== virtioNoVector) this.#msix.raise(vector);
      return;
    }
    this.#isr |= isr;
    this.pciFunction.setInterrupt(true);
  }

  #ask(requests: number): void {
    this.#mailbox.addRequests(requests);
    this.#wakeIo();
  }

  #read(offset: number, size: AccessSize): number {
    if (offset >= structure.notify) return 0;
    if (offset >= structure.device) return this.#readConfig(offset - structure.device, size);
    if (offset >= structure.isr) return offset === structure.isr ? this.#readIsr() : 0;
    return this.#common.read(offset, size);
  }

  #write(offset: number, size: AccessSize, value: number): void {
    if (offset >= structure.notify) this.#ring((offset - structure.notify) / structure.notifyMultiplier);
    else if (offset >= structure.device) this.#writeConfig(offset - structure.device, size, value);
    else if (offset < structure.isr) this.#common.write(offset, size, value);
  }

  #ring(queue: number): void {
    if (!this.#common.running || !this.#common.isEnabled(queue)) return;
    this.#mailbox.ring(queue);
    this.#wakeIo();
  }

  /** Reading it takes the interrupt back. 4.1.4.5.1. */
  #readIsr(): number {
    const value = this.#isr;
    this.#isr = 0;
    this.pciFunction.setInterrupt(false);
    return value;
  }

  #readConfig(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += (this.#mailbox.config[offset + i] ?? 0xff) * 256 ** i;
    return value;
  }

  #writeConfig(offset: number, size: AccessSize, value: number): void {
    const { config } = this.#mailbox;
    let changed = false;
    for (let i = 0; i < size; i++) {
      const within = offset + i - this.#writableConfig.offset;
      if (within < 0 || within >= this.#writableConfig.length) continue;
      config[offset + i] = (value >>> (8 * i)) & 0xff;
      changed = true;
    }
    if (changed && this.#common.running) this.#ask(request.config);
  }
}
