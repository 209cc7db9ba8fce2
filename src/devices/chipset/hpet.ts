/**
 * High precision event timers: a 64-bit counter at 100 MHz and three comparators.
 * An edge is a wire that falls and rises again; it stays up, so that a PIC sees the request until it is served. A late host
 * coalesces periods: the interrupt comes once and the phase is kept. Source: IA-PC HPET Specification 1.0a.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { MmioBus, MmioHandler } from '../../device-model/mmio.ts';
import type { TimerService } from '../../device-model/time.ts';
import {
  hpetCapabilities,
  hpetConfiguration,
  hpetMmio,
  hpetPeriodFs,
  hpetPeriodNs,
  hpetRegister,
  hpetRoutes,
  hpetTimerCount,
} from '../../spec/pc/hpet.ts';
import { HpetComparator, type HpetComparatorState } from './hpet-comparator.ts';

export interface HpetLines {
  readonly timers: TimerService;
  /** What legacy replacement drives in place of the PIT and the RTC. */
  readonly irq0: IrqLine;
  readonly irq8: IrqLine;
  /** Legacy replacement comes into force or ends: the PIT and the RTC are cut off from IRQ0 and IRQ8, or come back. */
  readonly legacyReplacement: (active: boolean) => void;
  /** A wire to IOAPIC input `input`; called once for every timer that may be routed there. */
  readonly ioApicInput: (input: number) => IrqLine;
}

export interface HpetState {
  configuration: number;
  status: number;
  /** The counter while it stands; while it runs, its value at guest time 0. */
  counterBase: bigint;
  comparators: HpetComparatorState[];
  /** The timer whose comparator's high half may follow under VAL_SET, -1 for none. */
  valueSetHigh: number;
}

const capabilitiesLow =
  hpetCapabilities.revision |
  ((hpetTimerCount - 1) << hpetCapabilities.timerCountShift) |
  hpetCapabilities.counter64 |
  hpetCapabilities.legacyReplacement |
  (hpetCapabilities.vendor << hpetCapabilities.vendorShift);

export class Hpet implements Device<HpetState>, MmioHandler {
  readonly #lines: HpetLines;
  readonly #comparators: readonly HpetComparator[];
  #configuration = 0;
  #status = 0;
  #counterBase = 0n;
  #valueSetHigh = -1;
  /** High half that belongs to the low half read just before, -1 for none: a 64-bit read comes as two. */
  #latchedHigh = -1;
  #legacy = false;

  constructor(lines: HpetLines) {
    this.#lines = lines;
    this.#comparators = Array.from({ length: hpetTimerCount }, (_, index) => {
      const timer = lines.timers.createTimer(`hpet ${index}`, () => this.#expire(index));
      return new HpetComparator(timer, routeLines(lines), [lines.irq0, lines.irq8][index]);
    });
  }

  attach(mmio: MmioBus, base: number = hpetMmio.base): void {
    mmio.map(base, hpetMmio.length, this);
  }

  reset(): void {
    for (const comparator of this.#comparators) comparator.reset();
    this.#configuration = 0;
    this.#status = 0;
    this.#counterBase = 0n;
    this.#valueSetHigh = -1;
    this.#update();
  }

  save(): HpetState {
    return {
      configuration: this.#configuration,
      status: this.#status,
      counterBase: this.#counterBase,
      comparators: this.#comparators.map((comparator) => comparator.save()),
      valueSetHigh: this.#valueSetHigh,
    };
  }

  restore(state: HpetState): void {
    this.#configuration = state.configuration;
    this.#status = state.status;
    this.#counterBase = state.counterBase;
    this.#valueSetHigh = state.valueSetHigh;
    this.#latchedHigh = -1;
    this.#comparators.forEach((comparator, index) => {
      comparator.restore(state.comparators[index] as HpetComparatorState);
    });
    this.#update();
  }

  get #running(): boolean {
    return (this.#configuration & hpetConfiguration.enable) !== 0;
  }

  #counter(nowNs: number): bigint {
    return this.#running ? BigInt.asUintN(64, this.#counterBase + ticks(nowNs)) : this.#counterBase;
  }

  readMmio(offset: number, size: number): number {
    const value = this.#readDoubleword(offset & ~3);
    return size === 4 ? value : value >>> (8 * (offset & 3));
  }

  #readDoubleword(offset: number): number {
    const latchedHigh = this.#latchedHigh;
    this.#latchedHigh = -1;
    const high = (offset & 4) !== 0;
    switch (offset & ~4) {
      case hpetRegister.capabilities:
        return high ? hpetPeriodFs : capabilitiesLow;
      case hpetRegister.configuration:
        return high ? 0 : this.#configuration;
      case hpetRegister.interruptStatus:
        return high ? 0 : this.#status;
      case hpetRegister.mainCounter: {
        if (high && latchedHigh >= 0) return latchedHigh;
        const counter = this.#counter(this.#lines.timers.nowNs());
        if (!high) this.#latchedHigh = half(counter, true);
        return half(counter, high);
      }
      default:
        return this.#readTimer(offset, high);
    }
  }

  #readTimer(offset: number, high: boolean): number {
    const comparator = this.#comparators[timerIndex(offset)];
    if (comparator === undefined) return 0;
    switch ((offset - hpetRegister.timers) & (hpetRegister.timerStride - 8)) {
      case hpetRegister.timerConfiguration:
        return high ? hpetRoutes : comparator.configuration;
      case hpetRegister.timerComparator:
        this.#service(comparator, this.#lines.timers.nowNs());
        return half(comparator.comparator, high);
      default:
        // No message interrupts (FSB) on this board.
        return 0;
    }
  }

  /** Registers take doublewords; narrower writes are undefined by the specification and dropped here. */
  writeMmio(offset: number, size: number, value: number): void {
    if (size !== 4 || (offset & 3) !== 0) return;
    this.#latchedHigh = -1;
    const valueSetHigh = this.#valueSetHigh;
    this.#valueSetHigh = -1;
    const high = (offset & 4) !== 0;
    switch (offset & ~4) {
      case hpetRegister.capabilities:
        return;
      case hpetRegister.configuration:
        if (!high) this.#writeConfiguration(value);
        return;
      case hpetRegister.interruptStatus:
        if (!high) this.#status &= ~value;
        break;
      case hpetRegister.mainCounter:
        this.#writeCounter(value, high);
        break;
      default:
        this.#writeTimer(offset, high, value, valueSetHigh);
        break;
    }
    this.#update();
  }

  /** What the counter has passed by now has matched, however late the host is. */
  #writeConfiguration(value: number): void {
    const nowNs = this.#lines.timers.nowNs();
    for (const comparator of this.#comparators) this.#service(comparator, nowNs);
    const counter = this.#counter(nowNs);
    this.#configuration = value & (hpetConfiguration.enable | hpetConfiguration.legacyReplacement);
    this.#setCounter(counter, nowNs);
    this.#update();
  }

  #writeCounter(value: number, high: boolean): void {
    const nowNs = this.#lines.timers.nowNs();
    for (const comparator of this.#comparators) this.#service(comparator, nowNs);
    this.#setCounter(withHalf(this.#counter(nowNs), value, high), nowNs);
  }

  #setCounter(counter: bigint, nowNs: number): void {
    this.#counterBase = this.#running ? BigInt.asUintN(64, counter - ticks(nowNs)) : counter;
    for (const comparator of this.#comparators) {
      if (this.#running) comparator.arm(counter, nowNs, true);
      else comparator.disarm();
    }
  }

  #writeTimer(offset: number, high: boolean, value: number, valueSetHigh: number): void {
    const index = timerIndex(offset);
    const comparator = this.#comparators[index];
    if (comparator === undefined) return;
    const nowNs = this.#lines.timers.nowNs();
    this.#service(comparator, nowNs);
    const register = (offset - hpetRegister.timers) & (hpetRegister.timerStride - 8);
    if (register === hpetRegister.timerConfiguration && !high) {
      comparator.writeConfiguration(value);
      if (!comparator.isLevel) this.#status &= ~(1 << index);
    } else if (register === hpetRegister.timerComparator) {
      const valueSet = comparator.valueSet;
      comparator.writeComparator(value, high, valueSet || (high && valueSetHigh === index));
      if (valueSet && !high) this.#valueSetHigh = index;
    } else {
      return;
    }
    // A match that has just happened does not happen again because the configuration is written.
    const written = register === hpetRegister.timerComparator;
    if (this.#running) comparator.arm(this.#counter(nowNs), nowNs, written);
  }

  #expire(index: number): void {
    this.#service(this.#comparators[index] as HpetComparator, this.#lines.timers.nowNs());
    this.#update();
  }

  /** Lets `comparator` match if its time has come. */
  #service(comparator: HpetComparator, nowNs: number): void {
    if (!this.#running || nowNs < comparator.dueNs) return;
    comparator.match(this.#counter(nowNs), nowNs);
    if (comparator.isLevel) this.#status |= 1 << this.#comparators.indexOf(comparator);
    else comparator.pulse();
  }

  /** Drives every wire from the registers. */
  #update(): void {
    const legacy = this.#running && (this.#configuration & hpetConfiguration.legacyReplacement) !== 0;
    if (legacy !== this.#legacy) {
      this.#legacy = legacy;
      this.#lines.legacyReplacement(legacy);
    }
    this.#comparators.forEach((comparator, index) => {
      comparator.drive(this.#running, legacy, (this.#status & (1 << index)) !== 0);
    });
  }
}

function timerIndex(offset: number): number {
  return Math.floor((offset - hpetRegister.timers) / hpetRegister.timerStride);
}

function ticks(nowNs: number): bigint {
  return BigInt(Math.floor(nowNs / hpetPeriodNs));
}

function half(value: bigint, high: boolean): number {
  return Number(BigInt.asUintN(32, high ? value >> 32n : value));
}

function withHalf(value: bigint, part: number, high: boolean): bigint {
  return high ? (BigInt(part) << 32n) | BigInt.asUintN(32, value) : ((value >> 32n) << 32n) | BigInt(part);
}

function routeLines(lines: HpetLines): Map<number, IrqLine> {
  const routes = new Map<number, IrqLine>();
  for (let input = 0; input < 32; input++) {
    if (((hpetRoutes >>> input) & 1) !== 0) routes.set(input, lines.ioApicInput(input));
  }
  return routes;
}
