/**
 * PCI host bridge (82441FX, 00:00.0) with bus 0 behind it: configuration mechanism 1, the windows through which memory and
 * I/O accesses reach BARs, and the wiring of INTA#…INTD# to PIRQA…PIRQD.
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2; 82441FX datasheet.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { MmioBus, MmioHandler } from '../../device-model/mmio.ts';
import type { AccessSize, PortBus, PortHandler } from '../../device-model/port-io.ts';
import { intelId, pciAddress, pciClass, pciConfig, pciMultiFunction, pciPort } from '../../spec/pc/pci.ts';
import { WiredOr } from '../chipset/wired-or.ts';
import { PciFunction, type PciFunctionState, type PciHit } from './pci-function.ts';

export interface PciHostState {
  address: number;
  bridge: PciFunctionState;
}

const ones = (size: AccessSize): number => (size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1);

/** The PIRQ (0 to 3) of a device's pin (1 is INTA#): neighbouring devices start at different ones. */
export const pirqOf = (device: number, pin: number): number => (device - 1 + pin - 1) & 3;

export class PciHost implements Device<PciHostState> {
  readonly #bridge = new PciFunction(
    {
      vendorId: intelId.vendor,
      deviceId: intelId.hostBridge440fx,
      revision: 2,
      classCode: pciClass.hostBridge,
    },
    {},
  );
  /** Functions of bus 0 by device number × 8 + function number. */
  readonly #functions = new Map<number, PciFunction>([[0, this.#bridge]]);
  readonly #pirqs: readonly WiredOr[];
  #address = 0;

  /** @param pirqs PIRQA to PIRQD, level-triggered; interrupt pins share them. */
  constructor(pirqs: readonly [IrqLine, IrqLine, IrqLine, IrqLine]) {
    this.#pirqs = pirqs.map((line) => new WiredOr(line));
  }

  attach(ports: PortBus): void {
    ports.map(pciPort.address, pciPort.address, this.#addressPort());
    ports.map(pciPort.data, pciPort.dataLast, this.#dataPort());
  }

  /** Maps the memory window `[base, base + length)` in which the guest may place memory BARs. */
  attachMemoryWindow(mmio: MmioBus, base: number, length: number): void {
    const window: MmioHandler = {
      readMmio: (offset, size) => this.#read('memory', base + offset, size),
      writeMmio: (offset, size, value) => this.#write('memory', base + offset, size, value),
    };
    mmio.map(base, length, window);
  }

  /** Maps the I/O window `first`…`last` in which the guest may place I/O BARs. */
  attachIoWindow(ports: PortBus, first: number, last: number): void {
    ports.map(first, last, {
      portWidth: 4,
      readPort: (port, size) => this.#read('io', port, size),
      writePort: (port, size, value) => this.#write('io', port, size, value),
    });
  }

  /** The wire for pin `pin` (1 is INTA#) of device `device`. The machine's _PRT must say the same as `pirqOf`. */
  interruptLine(device: number, pin: number): IrqLine {
    return (this.#pirqs[pirqOf(device, pin)] as WiredOr).input();
  }

  /** Plugs a function in. @throws if the place is taken: that is a wiring bug of ours. */
  add(device: number, functionNumber: number, pciFunction: PciFunction): void {
    const key = device * 8 + functionNumber;
    if (this.#functions.has(key)) throw new Error(`PCI function 00:${device.toString(16)}.${functionNumber} is taken`);
    this.#functions.set(key, pciFunction);
    const first = this.#functions.get(device * 8);
    if (functionNumber > 0 && first !== undefined) {
      first.config.set(pciConfig.headerType, 1, pciMultiFunction);
      first.config.freeze();
    }
  }

  /** Every function that is plugged in, with its device number. */
  *functions(): Generator<readonly [device: number, pciFunction: PciFunction]> {
    for (const [key, pciFunction] of this.#functions) yield [key >> 3, pciFunction];
  }

  /** Resets the bridge; the other functions belong to their devices. */
  reset(): void {
    this.#address = 0;
    this.#bridge.reset();
  }

  save(): PciHostState {
    return { address: this.#address, bridge: this.#bridge.save() };
  }

  restore(state: PciHostState): void {
    this.#address = state.address;
    this.#bridge.restore(state.bridge);
  }

  /** Only doubleword accesses reach the address register; others pass it by. */
  #addressPort(): PortHandler {
    return {
      portWidth: 4,
      readPort: (_port, size) => (size === 4 ? this.#address : ones(size)),
      writePort: (_port, size, value) => {
        if (size === 4) this.#address = (value & pciAddress.writable) >>> 0;
      },
    };
  }

  #dataPort(): PortHandler {
    return {
      portWidth: 4,
      readPort: (port, size) => {
        const lane = port & 3;
        if (lane + size > 4) return ones(size);
        return this.#selected()?.readConfig((this.#address & 0xfc) + lane, size) ?? ones(size);
      },
      writePort: (port, size, value) => {
        const lane = port & 3;
        if (lane + size <= 4) this.#selected()?.writeConfig((this.#address & 0xfc) + lane, size, value);
      },
    };
  }

  /** The function that the address register names; nothing lies beyond bus 0. */
  #selected(): PciFunction | undefined {
    const enabled = this.#address >= pciAddress.enable;
    const bus = (this.#address >>> pciAddress.busShift) & 0xff;
    return enabled && bus === 0 ? this.#functions.get((this.#address >>> pciAddress.functionShift) & 0xff) : undefined;
  }

  #claim(space: 'io' | 'memory', address: number, size: AccessSize): PciHit | undefined {
    for (const pciFunction of this.#functions.values()) {
      const hit = pciFunction.claim(space, address, size);
      if (hit !== undefined) return hit;
    }
    return undefined;
  }

  #read(space: 'io' | 'memory', address: number, size: AccessSize): number {
    const hit = this.#claim(space, address, size);
    return hit === undefined ? ones(size) : hit.region.read(hit.offset, size);
  }

  #write(space: 'io' | 'memory', address: number, size: AccessSize, value: number): void {
    const hit = this.#claim(space, address, size);
    hit?.region.write(hit.offset, size, value);
  }
}
