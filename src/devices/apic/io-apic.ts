/**
 * I/O APIC with 24 pins. Intel 82093AA data sheet; version 0x20 with the EOI register.
 * A pin's wire says "asserted": the polarity bit is kept for software, but turns nothing around, since the board has no
 * inverters that it could describe.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { MmioHandler } from '../../device-model/mmio.ts';
import type { AccessSize } from '../../device-model/port-io.ts';
import { deliveryMode, ioApic, ioApicEntry } from '../../spec/x86/apic.ts';
import type { ApicBus, EoiListener } from './apic-bus.ts';

export interface IoApicState {
  id: number;
  select: number;
  low: number[];
  high: number[];
  levels: boolean[];
}

export class IoApic implements Device<IoApicState>, MmioHandler, EoiListener {
  readonly #bus: ApicBus;
  readonly #initialId: number;
  readonly #lines: readonly IrqLine[];

  #id = 0;
  #select = 0;
  readonly #low = new Uint32Array(ioApic.pinCount);
  readonly #high = new Uint32Array(ioApic.pinCount);
  readonly #levels: boolean[] = new Array<boolean>(ioApic.pinCount).fill(false);

  constructor(bus: ApicBus, id: number) {
    this.#bus = bus;
    this.#initialId = id & ioApic.idMask;
    this.#lines = Array.from({ length: ioApic.pinCount }, (_, pin) => ({
      set: (level: boolean) => this.#setLevel(pin, level),
    }));
    bus.attachEoiListener(this);
    this.reset();
  }

  /** The wire of a pin, 0…23. @throws if there is no such pin: that is a wiring bug of ours. */
  irq(pin: number): IrqLine {
    const line = this.#lines[pin];
    if (line === undefined) throw new RangeError(`the I/O APIC has no pin ${pin}`);
    return line;
  }

  /** Registers lie behind the select/window pair; narrow reads of the window give its low bytes. */
  readMmio(offset: number, size: AccessSize): number {
    const byte = offset & 3;
    if (byte + size > 4) return 0;
    const register = offset & ~3;
    if (register === ioApic.selectOffset) return this.#select >>> (byte * 8);
    return register === ioApic.windowOffset ? this.#readRegister(this.#select) >>> (byte * 8) : 0;
  }

  /** The select register is one byte wide, the window takes whole registers only. */
  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (offset === ioApic.selectOffset) this.#select = value & 0xff;
    else if (offset === ioApic.windowOffset && size === 4) this.#writeRegister(this.#select, value);
    else if (offset === ioApic.eoiOffset) this.endOfInterrupt(value & ioApicEntry.vectorMask);
  }

  /** A processor is done with a level-triggered vector: its pins may interrupt again, and do if still asserted. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < ioApic.pinCount; pin++) {
      const low = this.#entry(pin);
      if ((low & ioApicEntry.remoteIrr) === 0 || (low & ioApicEntry.vectorMask) !== vector) continue;
      this.#low[pin] = low & ~ioApicEntry.remoteIrr;
      this.#serviceLevel(pin);
    }
  }

  /** The pins' levels belong to the devices and stay. */
  reset(): void {
    this.#id = this.#initialId;
    this.#select = 0;
    this.#low.fill(ioApicEntry.masked);
    this.#high.fill(0);
  }

  save(): IoApicState {
    return {
      id: this.#id,
      select: this.#select,
      low: [...this.#low],
      high: [...this.#high],
      levels: [...this.#levels],
    };
  }

  restore(state: IoApicState): void {
    this.#id = state.id;
    this.#select = state.select;
    for (let pin = 0; pin < ioApic.pinCount; pin++) {
      this.#low[pin] = state.low[pin] ?? ioApicEntry.masked;
      this.#high[pin] = state.high[pin] ?? 0;
      this.#levels[pin] = state.levels[pin] ?? false;
    }
  }

  #entry(pin: number): number {
    return this.#low[pin] ?? ioApicEntry.masked;
  }

  #readRegister(index: number): number {
    if (index === ioApic.idIndex || index === ioApic.arbitrationIndex) return this.#id << ioApic.idShift;
    if (index === ioApic.versionIndex) {
      return ((ioApic.pinCount - 1) << ioApic.maximumEntryShift) | ioApic.versionWithEoi;
    }
    const pin = (index - ioApic.redirectionIndex) >> 1;
    if (pin < 0 || pin >= ioApic.pinCount) return 0;
    return (index & 1) === 0 ? this.#entry(pin) : (this.#high[pin] ?? 0);
  }

  #writeRegister(index: number, value: number): void {
    if (index === ioApic.idIndex) {
      this.#id = (value >>> ioApic.idShift) & ioApic.idMask;
      return;
    }
    const pin = (index - ioApic.redirectionIndex) >> 1;
    if (pin < 0 || pin >= ioApic.pinCount) return;
    if ((index & 1) !== 0) {
      this.#high[pin] = value & ioApicEntry.highWritable;
      return;
    }
    let low = value & ioApicEntry.lowWritable;
    // An entry that becomes edge-triggered forgets its remote IRR: how software ends a level without an EOI register.
    if ((low & ioApicEntry.levelTriggered) !== 0) low |= this.#entry(pin) & ioApicEntry.remoteIrr;
    this.#low[pin] = low;
    this.#serviceLevel(pin);
  }

  #setLevel(pin: number, level: boolean): void {
    const rising = level && this.#levels[pin] !== true;
    this.#levels[pin] = level;
    const low = this.#entry(pin);
    if ((low & ioApicEntry.levelTriggered) !== 0) this.#serviceLevel(pin);
    // An edge on a masked pin is lost (data sheet 3.2.4, bit 16).
    else if (rising && (low & ioApicEntry.masked) === 0) this.#send(pin, false);
  }

  #serviceLevel(pin: number): void {
    const low = this.#entry(pin);
    const waiting = (low & (ioApicEntry.masked | ioApicEntry.remoteIrr)) === 0;
    if (!waiting || (low & ioApicEntry.levelTriggered) === 0 || this.#levels[pin] !== true) return;
    // Remote IRR before the message: its receiver may finish the interrupt at once.
    this.#low[pin] = low | ioApicEntry.remoteIrr;
    const mode = (low >>> ioApicEntry.deliveryModeShift) & 7;
    const acknowledged = mode === deliveryMode.fixed || mode === deliveryMode.lowestPriority;
    if (!this.#send(pin, true) || !acknowledged) this.#low[pin] = low;
  }

  /** @returns whether a local APIC took the interrupt. */
  #send(pin: number, levelTriggered: boolean): boolean {
    const low = this.#entry(pin);
    const mode = (low >>> ioApicEntry.deliveryModeShift) & 7;
    const logical = (low & ioApicEntry.logical) !== 0;
    const destination = (this.#high[pin] ?? 0) >>> ioApicEntry.destinationShift;
    return this.#bus.send({
      deliveryMode: mode,
      vector: low & ioApicEntry.vectorMask,
      logical,
      destination,
      broadcast: !logical && destination === 0xff,
      levelTriggered,
      assert: true,
      lowestPriority: mode === deliveryMode.lowestPriority,
    });
  }
}
