/**
 * MC146818 real-time clock with CMOS RAM, ports 70h and 71h, IRQ8.
 * The time is the wall clock plus what the guest has set it off by. Flags are worked out when somebody looks or when an
 * enabled interrupt is due; a pending flag stays until register C is read, so a late host coalesces interrupts.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import type { Timer, TimerService } from '../../device-model/time.ts';
import {
  cmosEquipment,
  cmosRam,
  rtcA,
  rtcB,
  rtcC,
  rtcCrystalHz,
  rtcD,
  rtcFirstUpdateMs,
  rtcPort,
  rtcRegister,
  rtcUpdateMs,
} from '../../spec/pc/rtc.ts';
import { decodeTime, encodeTime, nextAlarm, type RtcTimeRegisters } from './rtc-time.ts';
import { nsOfTick, ticksAt } from './tick-rate.ts';

export interface RtcLines {
  readonly timers: TimerService;
  /** Milliseconds since 1970 in the time zone that the guest expects (UTC as a rule); fractions welcome. */
  readonly wallClockMs: () => number;
  readonly irq8: IrqLine;
  /** Told when bit 7 of port 70h, which masks NMI, changes. */
  readonly nmiMask: (masked: boolean) => void;
}

/** RAM sizes in bytes that the BIOS leaves in CMOS: below 4 GiB, and from 4 GiB. */
export interface RtcMemorySizes {
  readonly low: number;
  readonly high: number;
}

export interface RtcState {
  index: number;
  nmiMasked: boolean;
  ram: Uint8Array;
  flags: number;
  offsetMs: number;
  weekdayShift: number;
  lastSecond: number;
  lastPeriod: number;
}

const timeFields: readonly (readonly [number, keyof RtcTimeRegisters])[] = [
  [rtcRegister.seconds, 'seconds'],
  [rtcRegister.minutes, 'minutes'],
  [rtcRegister.hours, 'hours'],
  [rtcRegister.dayOfWeek, 'dayOfWeek'],
  [rtcRegister.dayOfMonth, 'dayOfMonth'],
  [rtcRegister.month, 'month'],
  [rtcRegister.year, 'year'],
  [rtcRegister.century, 'century'],
];

const enables = rtcB.periodicEnable | rtcB.alarmEnable | rtcB.updateEnable;

export class Rtc implements Device<RtcState>, PortHandler {
  readonly portWidth = 1;
  readonly #lines: RtcLines;
  readonly #timer: Timer;
  /** Registers at their chip addresses. Those of the time are meaningful while the clock is held. */
  #ram = new Uint8Array(cmosRam.size);
  #index: number = rtcRegister.d;
  #nmiMasked = false;
  /** PF, AF and UF of register C. */
  #flags = 0;
  #offsetMs = 0;
  #weekdayShift = 0;
  /** The second and the periodic interval up to which flags are worked out. */
  #lastSecond = 0;
  #lastPeriod = 0;

  constructor(lines: RtcLines, memory: RtcMemorySizes) {
    this.#lines = lines;
    this.#timer = lines.timers.createTimer('rtc', () => this.#refresh());
    this.#ram[rtcRegister.a] = rtcA.powerOn;
    this.#ram[rtcRegister.b] = rtcB.hours24;
    this.#ram[cmosRam.equipment] = cmosEquipment.fpu | cmosEquipment.pointingDevice;
    this.#storeMemorySizes(memory);
    this.#lastSecond = this.#seconds();
  }

  attach(ports: PortBus): void {
    ports.map(rtcPort.index, rtcPort.data, this);
  }

  #storeMemorySizes({ low, high }: RtcMemorySizes): void {
    const store = (index: number, bytes: number, value: number): void => {
      for (let i = 0; i < bytes; i++) this.#ram[index + i] = Math.floor(value / 256 ** i) & 0xff;
    };
    const clamp = (value: number): number => Math.max(0, Math.min(0xffff, Math.floor(value)));
    const extendedKb = clamp((low - 0x10_0000) / 1024);
    store(cmosRam.baseMemoryKb, 2, Math.min(640, Math.floor(low / 1024)));
    store(cmosRam.extendedMemoryKb, 2, extendedKb);
    store(cmosRam.extendedMemoryKb2, 2, extendedKb);
    store(cmosRam.memoryAbove16Mb64Kb, 2, clamp((low - 0x100_0000) / 0x1_0000));
    store(cmosRam.memoryAbove4Gb64Kb, 3, Math.floor(high / 0x1_0000));
    let sum = 0;
    for (let i = cmosRam.checksumFirst; i <= cmosRam.checksumLast; i++) sum += this.#ram[i] as number;
    this.#ram[cmosRam.checksum] = sum >> 8;
    this.#ram[cmosRam.checksum + 1] = sum & 0xff;
  }

  /** The RESET pin: the battery keeps time, format and RAM. */
  reset(): void {
    this.#settle();
    this.#ram[rtcRegister.b] = this.#b & ~(enables | rtcB.squareWaveEnable);
    this.#flags = 0;
    this.#setNmiMasked(false);
    this.#refresh();
  }

  save(): RtcState {
    return {
      index: this.#index,
      nmiMasked: this.#nmiMasked,
      ram: this.#ram.slice(),
      flags: this.#flags,
      offsetMs: this.#offsetMs,
      weekdayShift: this.#weekdayShift,
      lastSecond: this.#lastSecond,
      lastPeriod: this.#lastPeriod,
    };
  }

  /** The guest finds the wall clock of now, not of the save. */
  restore(state: RtcState): void {
    this.#index = state.index;
    this.#ram = state.ram.slice();
    this.#flags = state.flags;
    this.#offsetMs = state.offsetMs;
    this.#weekdayShift = state.weekdayShift;
    this.#lastSecond = state.lastSecond;
    this.#lastPeriod = state.lastPeriod;
    this.#setNmiMasked(state.nmiMasked);
    this.#refresh();
  }

  readPort(port: number): number {
    if (port === rtcPort.index) return 0xff;
    switch (this.#index) {
      case rtcRegister.a:
        return this.#a | (this.#updating() ? rtcA.updateInProgress : 0);
      case rtcRegister.c:
        return this.#readFlags();
      case rtcRegister.d:
        return rtcD.validRam;
      default: {
        const field = timeFields.find(([index]) => index === this.#index);
        return field === undefined || this.#held ? (this.#ram[this.#index] as number) : this.#now()[field[1]];
      }
    }
  }

  writePort(port: number, _size: number, value: number): void {
    if (port === rtcPort.index) {
      this.#index = value & (cmosRam.size - 1);
      this.#setNmiMasked((value & rtcPort.nmiMask) !== 0);
      return;
    }
    this.#settle();
    if (this.#index === rtcRegister.c || this.#index === rtcRegister.d) return;
    if (this.#index === rtcRegister.a) {
      this.#control(value & ~rtcA.updateInProgress, this.#b);
    } else if (this.#index === rtcRegister.b) {
      // SET clears UIE on the chip.
      this.#control(this.#a, (value & rtcB.set) !== 0 ? value & ~rtcB.updateEnable : value);
    } else if (timeFields.some(([index]) => index === this.#index)) {
      if (!this.#held) this.#freeze();
      this.#ram[this.#index] = value;
      if (!this.#held) this.#adopt(this.#phaseMs());
    } else {
      this.#ram[this.#index] = value;
    }
    this.#refresh();
  }

  get #a(): number {
    return this.#ram[rtcRegister.a] as number;
  }

  get #b(): number {
    return this.#ram[rtcRegister.b] as number;
  }

  /** DV2:0 = 11x holds the divider chain in reset. */
  get #dividerReset(): boolean {
    return ((this.#a >> rtcA.dividerShift) & 6) === 6;
  }

  /** Whether the time registers stand still. */
  get #held(): boolean {
    return (this.#b & rtcB.set) !== 0 || this.#dividerReset;
  }

  #clockMs(): number {
    return this.#lines.wallClockMs() + this.#offsetMs;
  }

  #seconds(): number {
    return Math.floor(this.#clockMs() / 1000);
  }

  #phaseMs(): number {
    const ms = this.#clockMs();
    return ms - Math.floor(ms / 1000) * 1000;
  }

  #now(): RtcTimeRegisters {
    return encodeTime(this.#seconds(), this.#weekdayShift, this.#b);
  }

  #updating(): boolean {
    return !this.#held && this.#phaseMs() >= 1000 - rtcUpdateMs;
  }

  /** Ticks of the crystal between periodic interrupts, 0 when RS3:0 turns them off. */
  #periodTicks(): number {
    const rate = this.#a & rtcA.rateMask;
    if (rate === 0 || this.#dividerReset) return 0;
    return rate <= 2 ? 64 << rate : 1 << (rate - 1);
  }

  #period(): number {
    const ticks = this.#periodTicks();
    return ticks === 0 ? 0 : Math.floor(ticksAt(this.#lines.timers.nowNs(), rtcCrystalHz) / ticks);
  }

  #freeze(): void {
    const now = this.#now();
    for (const [index, field] of timeFields) this.#ram[index] = now[field];
  }

  /** Makes the time registers the time, `phaseMs` into their second. */
  #adopt(phaseMs: number): void {
    const registers = {} as RtcTimeRegisters;
    for (const [index, field] of timeFields) registers[field] = this.#ram[index] as number;
    const { seconds, weekdayShift } = decodeTime(registers, this.#b);
    this.#weekdayShift = weekdayShift;
    this.#offsetMs = seconds * 1000 + phaseMs - this.#lines.wallClockMs();
    this.#lastSecond = this.#seconds();
  }

  #control(a: number, b: number): void {
    const wasHeld = this.#held;
    const phaseMs = this.#dividerReset ? rtcFirstUpdateMs : this.#phaseMs();
    if (!wasHeld) this.#freeze();
    this.#ram[rtcRegister.a] = a;
    this.#ram[rtcRegister.b] = b;
    if (wasHeld && !this.#held) this.#adopt(phaseMs);
    this.#lastPeriod = this.#period();
  }

  /** Brings the flags of register C up to now. */
  #settle(): void {
    const period = this.#period();
    if (period !== this.#lastPeriod) this.#flags |= rtcC.periodic;
    this.#lastPeriod = period;
    if (this.#held) return;
    const second = this.#seconds();
    if (second > this.#lastSecond) {
      this.#flags |= rtcC.update;
      if (nextAlarm(this.#lastSecond, this.#ram, this.#b) <= second) this.#flags |= rtcC.alarm;
    }
    this.#lastSecond = second;
  }

  #readFlags(): number {
    this.#settle();
    const flags = this.#flags | ((this.#flags & this.#b & enables) !== 0 ? rtcC.interrupt : 0);
    this.#flags = 0;
    this.#refresh();
    return flags;
  }

  /** Flags, then wire, then the timer for what comes next. */
  #refresh(): void {
    this.#settle();
    this.#lines.irq8.set((this.#flags & this.#b & enables) !== 0);
    const nowNs = this.#lines.timers.nowNs();
    // A flag that is up already cannot interrupt again before register C is read.
    const wanted = this.#b & ~this.#flags & enables;
    let deadlineNs = Number.POSITIVE_INFINITY;
    const ticks = this.#periodTicks();
    if ((wanted & rtcB.periodicEnable) !== 0 && ticks > 0) {
      deadlineNs = nsOfTick((this.#lastPeriod + 1) * ticks, rtcCrystalHz);
    }
    if ((wanted & (rtcB.updateEnable | rtcB.alarmEnable)) !== 0 && !this.#held) {
      const update = (wanted & rtcB.updateEnable) !== 0;
      const second = update ? this.#lastSecond + 1 : nextAlarm(this.#lastSecond, this.#ram, this.#b);
      const waitNs = Math.ceil((second * 1000 - this.#clockMs()) * 1e6);
      deadlineNs = Math.min(deadlineNs, nowNs + Math.max(1, waitNs));
    }
    if (deadlineNs === Number.POSITIVE_INFINITY) this.#timer.cancel();
    else this.#timer.setDeadline(deadlineNs);
  }

  #setNmiMasked(masked: boolean): void {
    if (masked === this.#nmiMasked) return;
    this.#nmiMasked = masked;
    this.#lines.nmiMask(masked);
  }
}
