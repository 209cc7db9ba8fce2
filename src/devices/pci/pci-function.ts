/**
 * A PCI function with a type 00h header: identity, command and status, base address registers, INTx, capabilities.
 * A device owns one and gives it the handlers of its BARs; the host bridge routes guest accesses here.
 * Source: PCI Local Bus Specification 3.0, chapter 6.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { AccessSize } from '../../device-model/port-io.ts';
import { pciBar, pciCommand, pciConfig, pciStatus } from '../../spec/pc/pci.ts';
import { ConfigSpace } from './config-space.ts';

export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision: number;
  /** Base class, subclass, programming interface: 24 bits. */
  readonly classCode: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
}

/** A region that the guest places by a base address register. */
export interface PciRegion {
  /** 0…5; a 64-bit region takes this register and the next. */
  readonly bar: number;
  readonly kind: 'io' | 'memory' | 'memory64';
  readonly prefetchable?: boolean;
  /** A power of two; at least 4 (I/O) or 16 (memory). */
  readonly size: number;
  /** `offset` is relative to the region. @returns the unsigned value. */
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

export interface PciInterrupt {
  /** 1 is INTA#. */
  readonly pin: 1 | 2 | 3 | 4;
  readonly line: IrqLine;
}

export interface PciFunctionOptions {
  readonly regions?: readonly PciRegion[];
  readonly interrupt?: PciInterrupt;
  /** Told after a guest write to configuration space, for capabilities that act. */
  readonly onConfigWrite?: (offset: number, size: AccessSize) => void;
  /** Told before a guest read of configuration space. */
  readonly onConfigRead?: (offset: number, size: AccessSize) => void;
}

export interface PciFunctionState {
  config: Uint8Array;
  interrupt: boolean;
}

/** Where a guest access falls. */
export interface PciHit {
  readonly region: PciRegion;
  readonly offset: number;
}

const commandBits = pciCommand.io | pciCommand.memory | pciCommand.busMaster | pciCommand.parityError | pciCommand.serr;

export class PciFunction implements Device<PciFunctionState> {
  readonly config = new ConfigSpace();
  readonly #regions: readonly PciRegion[];
  readonly #interrupt: PciInterrupt | undefined;
  readonly #onConfigWrite: (offset: number, size: AccessSize) => void;
  readonly #onConfigRead: (offset: number, size: AccessSize) => void;
  #nextCapability: number = pciConfig.deviceSpecific;
  #lastPointer: number = pciConfig.capabilities;
  #interruptLevel = false;
  /** Regions that the command register enables, at their present addresses. */
  #decoded: { region: PciRegion; space: 'io' | 'memory'; base: number }[] = [];

  constructor(identity: PciIdentity, options: PciFunctionOptions) {
    this.#regions = options.regions ?? [];
    this.#interrupt = options.interrupt;
    this.#onConfigWrite = options.onConfigWrite ?? (() => {});
    this.#onConfigRead = options.onConfigRead ?? (() => {});
    this.#describe(identity);
    for (const region of this.#regions) this.#describeRegion(region);
    this.config.freeze();
  }

  #describe(identity: PciIdentity): void {
    const { config } = this;
    config.set(pciConfig.vendorId, 2, identity.vendorId);
    config.set(pciConfig.deviceId, 2, identity.deviceId);
    config.set(pciConfig.revision, 1, identity.revision);
    config.set(pciConfig.classCode, 1, identity.classCode & 0xff);
    config.set(pciConfig.classCode + 1, 2, identity.classCode >> 8);
    config.set(pciConfig.subsystemVendorId, 2, identity.subsystemVendorId ?? 0);
    config.set(pciConfig.subsystemId, 2, identity.subsystemId ?? 0);
    config.allowWrite(pciConfig.command, 2, commandBits | (this.#interrupt ? pciCommand.interruptDisable : 0));
    config.allowClear(pciConfig.status, 2, pciStatus.errors);
    config.allowWrite(pciConfig.cacheLineSize, 1, 0xff);
    config.allowWrite(pciConfig.latencyTimer, 1, 0xff);
    if (this.#interrupt === undefined) return;
    config.set(pciConfig.interruptPin, 1, this.#interrupt.pin);
    config.allowWrite(pciConfig.interruptLine, 1, 0xff);
  }

  /** The writable bits of a BAR are what makes its size readable. */
  #describeRegion({ bar, kind, prefetchable, size }: PciRegion): void {
    const at = pciConfig.bar0 + 4 * bar;
    if (kind === 'io') {
      this.config.set(at, 4, pciBar.io);
      this.config.allowWrite(at, 4, -size & pciBar.ioMask);
      return;
    }
    this.config.set(at, 4, (kind === 'memory64' ? pciBar.memory64 : 0) | (prefetchable ? pciBar.prefetchable : 0));
    this.config.allowWrite(at, 4, -size & pciBar.memoryMask);
    if (kind === 'memory64') this.config.allowWrite(at + 4, 4, 0xffff_ffff);
  }

  /**
   * Appends a capability before the guest runs.
   * @param body what follows the id and the link; @param writable the guest's bits in it, same length.
   * @returns the offset of the capability in configuration space.
   * @throws if it does not fit: that is a bug of ours.
   */
  addCapability(id: number, body: Uint8Array, writable: Uint8Array): number {
    const at = this.#nextCapability;
    if (at + 2 + body.length > pciConfig.size) throw new Error('PCI configuration space is full');
    this.config.set(this.#lastPointer, 1, at);
    this.config.set(at, 1, id);
    this.config.set(at + 1, 1, 0);
    body.forEach((byte, i) => {
      this.config.set(at + 2 + i, 1, byte);
      this.config.allowWrite(at + 2 + i, 1, writable[i] ?? 0);
    });
    this.config.set(pciConfig.status, 2, this.config.read(pciConfig.status, 2) | pciStatus.capabilities);
    this.#lastPointer = at + 1;
    this.#nextCapability = (at + 2 + body.length + 3) & ~3;
    this.config.freeze();
    return at;
  }

  reset(): void {
    this.config.reset();
    this.#decode();
    this.setInterrupt(false);
  }

  save(): PciFunctionState {
    return { config: this.config.save(), interrupt: this.#interruptLevel };
  }

  restore(state: PciFunctionState): void {
    this.config.restore(state.config);
    this.#decode();
    this.setInterrupt(state.interrupt);
  }

  readConfig(offset: number, size: AccessSize): number {
    this.#onConfigRead(offset, size);
    return this.config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.config.write(offset, size, value);
    this.#decode();
    this.#driveInterrupt();
    this.#onConfigWrite(offset, size);
  }

  get #command(): number {
    return this.config.read(pciConfig.command, 2);
  }

  /** Whether the guest lets the function reach memory by itself. */
  get busMaster(): boolean {
    return (this.#command & pciCommand.busMaster) !== 0;
  }

  /** Raises or drops INTx. Status shows it even while the guest has it disabled. */
  setInterrupt(level: boolean): void {
    this.#interruptLevel = level;
    this.#driveInterrupt();
  }

  #driveInterrupt(): void {
    if (this.#interrupt === undefined) return;
    const status = this.config.read(pciConfig.status, 2) & ~pciStatus.interrupt;
    this.config.set(pciConfig.status, 2, status | (this.#interruptLevel ? pciStatus.interrupt : 0));
    this.#interrupt.line.set(this.#interruptLevel && (this.#command & pciCommand.interruptDisable) === 0);
  }

  get regions(): readonly PciRegion[] {
    return this.#regions;
  }

  /** The base address of a region as the guest has set it. */
  regionBase({ bar, kind }: PciRegion): number {
    const at = pciConfig.bar0 + 4 * bar;
    const low = this.config.read(at, 4);
    if (kind === 'io') return (low & pciBar.ioMask) >>> 0;
    const high = kind === 'memory64' ? this.config.read(at + 4, 4) : 0;
    return high * 2 ** 32 + ((low & pciBar.memoryMask) >>> 0);
  }

  /** Where a region answers; undefined while the command register does not enable its space. */
  decodedBase(region: PciRegion): number | undefined {
    return this.#decoded.find((decoded) => decoded.region === region)?.base;
  }

  #decode(): void {
    const command = this.#command;
    const io = (command & pciCommand.io) !== 0;
    const memory = (command & pciCommand.memory) !== 0;
    this.#decoded = this.#regions
      .filter((region) => (region.kind === 'io' ? io : memory))
      .map((region) => ({
        region,
        space: region.kind === 'io' ? ('io' as const) : ('memory' as const),
        base: this.regionBase(region),
      }));
  }

  /** Finds the region that claims `[address, address + size)`, if the command register enables its space. */
  claim(space: 'io' | 'memory', address: number, size: AccessSize): PciHit | undefined {
    for (const { region, space: regionSpace, base } of this.#decoded) {
      const offset = address - base;
      if (regionSpace === space && offset >= 0 && offset + size <= region.size) return { region, offset };
    }
    return undefined;
  }
}
