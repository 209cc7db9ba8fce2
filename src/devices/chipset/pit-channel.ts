/**
 * One counter of an 8254. Nothing ticks: every question is answered from the tick (1,193,182 Hz) at which the counting
 * element was loaded. Source: Intel 82C54 datasheet, "Mode Definitions".
 */
import { pitAccess, pitControl, pitStatus } from '../../spec/pc/pit.ts';

export interface PitChannelState {
  /** The low six bits of the last control word. */
  control: number;
  gate: boolean;
  /** The count register in ticks; 0 until a count is written. */
  register: number;
  /** The tick at which `register` enters the counting element; -1 when it has. `Infinity`: at the next trigger. */
  loadTick: number;
  /** What the counting element was loaded with, and when. */
  active: number;
  startTick: number;
  running: boolean;
  /** The tick at which the gate stopped the count, -1 while it runs. */
  frozenAt: number;
  /** Contents of the counting element while it does not run. */
  stoppedValue: number;
  /** First byte of a two-byte count, -1 when none waits. */
  lowByte: number;
  readHigh: boolean;
  /** Latches, -1 when empty. */
  latchedCount: number;
  latchedStatus: number;
}

const fromBcd = (raw: number): number =>
  (raw & 15) + ((raw >> 4) & 15) * 10 + ((raw >> 8) & 15) * 100 + ((raw >> 12) & 15) * 1000;

const toBcd = (value: number): number =>
  (value % 10) |
  ((Math.floor(value / 10) % 10) << 4) |
  ((Math.floor(value / 100) % 10) << 8) |
  ((Math.floor(value / 1000) % 10) << 12);

const highTicks = (period: number): number => Math.ceil(period / 2);

export class PitChannel {
  readonly #initialGate: boolean;
  #s: PitChannelState;

  constructor(gate: boolean) {
    this.#initialGate = gate;
    this.#s = this.#powerOn();
  }

  #powerOn(): PitChannelState {
    return {
      control: pitAccess.lowThenHigh << pitControl.accessShift,
      gate: this.#initialGate,
      register: 0,
      loadTick: -1,
      active: 1,
      startTick: 0,
      running: false,
      frozenAt: -1,
      stoppedValue: 0,
      lowByte: -1,
      readHigh: false,
      latchedCount: -1,
      latchedStatus: -1,
    };
  }

  reset(): void {
    this.#s = this.#powerOn();
  }

  save(): PitChannelState {
    return { ...this.#s };
  }

  restore(state: PitChannelState): void {
    this.#s = { ...state };
  }

  get #mode(): number {
    const mode = (this.#s.control >> pitControl.modeShift) & 7;
    return mode > 5 ? mode & 3 : mode;
  }

  get #access(): number {
    return this.#s.control >> pitControl.accessShift;
  }

  get #modulus(): number {
    return (this.#s.control & pitControl.bcd) !== 0 ? 10_000 : 65_536;
  }

  /** Modes 2 and 3 repeat. */
  get #periodic(): boolean {
    return this.#mode === 2 || this.#mode === 3;
  }

  /** Modes 1 and 5 start on a rising gate. */
  get #triggered(): boolean {
    return this.#mode === 1 || this.#mode === 5;
  }

  /** Moves a waiting count into the counting element once its tick has come. */
  #settle(now: number): void {
    const s = this.#s;
    if (s.loadTick < 0 || s.loadTick > now) return;
    // A square wave changes its count between half-cycles: after a high half comes a low half of the new count.
    const lowHalf = this.#mode === 3 && s.running && this.#endsHighHalf(s.loadTick);
    s.startTick = lowHalf ? s.loadTick - highTicks(s.register) : s.loadTick;
    s.active = s.register;
    s.running = true;
    s.frozenAt = s.gate || this.#triggered ? -1 : s.loadTick;
    s.loadTick = -1;
  }

  #endsHighHalf(tick: number): boolean {
    const s = this.#s;
    return (tick - 1 - s.startTick) % s.active < highTicks(s.active);
  }

  #elapsed(now: number): number {
    const s = this.#s;
    return Math.max(0, (s.frozenAt >= 0 ? s.frozenAt : now) - s.startTick);
  }

  /** The counting element as a number of ticks below the modulus. */
  #value(now: number): number {
    const s = this.#s;
    if (!s.running) return s.stoppedValue;
    const elapsed = this.#elapsed(now);
    if (this.#mode === 2) return (s.active - (elapsed % s.active)) % this.#modulus;
    if (this.#mode === 3) return this.#squareValue(elapsed % s.active) % this.#modulus;
    const left = (s.active - elapsed) % this.#modulus;
    return left < 0 ? left + this.#modulus : left;
  }

  /** Mode 3 counts by twos; an odd count loses one at the first tick of the high half and three in the low half. */
  #squareValue(phase: number): number {
    const n = this.#s.active;
    const high = highTicks(n);
    const isHigh = phase < high;
    const step = isHigh ? phase : phase - high;
    if (step === 0 || n % 2 === 0) return n - 2 * step;
    return n - 2 * step + (isHigh ? 1 : -1);
  }

  /** Level of OUT at tick `now`. */
  output(now: number): boolean {
    this.#settle(now);
    const s = this.#s;
    const elapsed = this.#elapsed(now);
    switch (this.#mode) {
      case 0:
        return s.running && s.loadTick < 0 && s.lowByte < 0 && elapsed >= s.active;
      case 1:
        return !s.running || elapsed >= s.active;
      case 2:
        return !s.running || !s.gate || s.active === 1 || elapsed % s.active !== s.active - 1;
      case 3:
        return !s.running || !s.gate || elapsed % s.active < highTicks(s.active);
      default:
        return !s.running || elapsed !== s.active;
    }
  }

  /** The first tick after `now` at which OUT rises, `Infinity` if it never does by itself. */
  nextRise(now: number): number {
    this.#settle(now);
    const s = this.#s;
    if (!s.gate && !this.#triggered) return Number.POSITIVE_INFINITY;
    const waiting = s.loadTick >= 0 && s.loadTick !== Number.POSITIVE_INFINITY;
    if (!waiting && !s.running) return Number.POSITIVE_INFINITY;
    if (this.#periodic) return this.#nextPeriodicRise(now, waiting);
    const expiry = waiting ? s.loadTick + s.register : s.startTick + s.active;
    const rise = this.#mode >= 4 ? expiry + 1 : expiry;
    return rise > now ? rise : Number.POSITIVE_INFINITY;
  }

  #nextPeriodicRise(now: number, waiting: boolean): number {
    const s = this.#s;
    if (waiting && s.running) {
      if (this.#mode === 2 || !this.#endsHighHalf(s.loadTick)) return s.loadTick;
      return s.loadTick + s.register - highTicks(s.register);
    }
    const [start, period] = waiting ? [s.loadTick, s.register] : [s.startTick, s.active];
    // A count of 1 is illegal in these modes: OUT does not move.
    if (period === 1) return Number.POSITIVE_INFINITY;
    return start + Math.max(1, Math.floor((now - start) / period) + 1) * period;
  }

  writeControl(control: number, now: number): void {
    this.#settle(now);
    const stoppedValue = this.#value(now);
    this.#s = { ...this.#powerOn(), gate: this.#s.gate, control, stoppedValue };
  }

  write(value: number, now: number): void {
    this.#settle(now);
    const s = this.#s;
    if (this.#access === pitAccess.low) {
      this.#load(value, now);
    } else if (this.#access === pitAccess.high) {
      this.#load(value << 8, now);
    } else if (s.lowByte < 0) {
      s.lowByte = value;
      // "Writing the first byte disables counting" in mode 0.
      if (this.#mode === 0) {
        s.stoppedValue = this.#value(now);
        s.running = false;
        s.loadTick = -1;
      }
    } else {
      const count = s.lowByte | (value << 8);
      s.lowByte = -1;
      this.#load(count, now);
    }
  }

  #load(raw: number, now: number): void {
    const s = this.#s;
    const count = (s.control & pitControl.bcd) !== 0 ? fromBcd(raw) : raw;
    s.register = count === 0 ? this.#modulus : count;
    if (this.#triggered) s.loadTick = Number.POSITIVE_INFINITY;
    else if (!this.#periodic || !s.running || s.active === 1) s.loadTick = now + 1;
    else s.loadTick = this.#cycleEnd(now);
  }

  /** The tick after `now` that ends the current cycle (mode 2) or half-cycle (mode 3). */
  #cycleEnd(now: number): number {
    const s = this.#s;
    if (!s.gate) return now + 1;
    const phase = this.#elapsed(now) % s.active;
    const cycle = now - phase;
    if (this.#mode === 2 || phase >= highTicks(s.active)) return cycle + s.active;
    return cycle + highTicks(s.active);
  }

  setGate(level: boolean, now: number): void {
    this.#settle(now);
    const s = this.#s;
    if (level === s.gate) return;
    s.gate = level;
    if (!level) {
      if (s.running && !this.#triggered) s.frozenAt = now;
    } else if (!this.#triggered && !this.#periodic) {
      if (s.frozenAt >= 0) s.startTick += now - s.frozenAt;
      s.frozenAt = -1;
    } else if (s.register > 0) {
      s.stoppedValue = this.#value(now);
      // A retriggered one-shot stays low; everything else waits for the load with OUT high.
      if (this.#mode !== 1) s.running = false;
      s.loadTick = now + 1;
    }
  }

  latchCount(now: number): void {
    this.#settle(now);
    if (this.#s.latchedCount < 0) this.#s.latchedCount = this.#raw(now);
  }

  latchStatus(now: number): void {
    const output = this.output(now);
    const s = this.#s;
    if (s.latchedStatus >= 0) return;
    const nullCount = s.loadTick >= 0 || s.register === 0 ? pitStatus.nullCount : 0;
    s.latchedStatus = s.control | nullCount | (output ? pitStatus.output : 0);
  }

  #raw(now: number): number {
    const value = this.#value(now);
    return (this.#s.control & pitControl.bcd) !== 0 ? toBcd(value) : value;
  }

  read(now: number): number {
    this.#settle(now);
    const s = this.#s;
    if (s.latchedStatus >= 0) {
      const status = s.latchedStatus;
      s.latchedStatus = -1;
      return status;
    }
    const raw = s.latchedCount >= 0 ? s.latchedCount : this.#raw(now);
    const twoBytes = this.#access === pitAccess.lowThenHigh;
    const high = twoBytes ? s.readHigh : this.#access === pitAccess.high;
    if (twoBytes) s.readHigh = !high;
    if (!twoBytes || high) s.latchedCount = -1;
    return high ? raw >> 8 : raw & 0xff;
  }
}
