/**
 * ACPI fixed hardware: PM1 event and control block, PM timer, SCI. The board is in ACPI mode from power-on (SCI_EN reads
 * as 1, the FADT names no SMI command port). Source: ACPI Specification 6.5, 4.8.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import type { Timer, TimerService } from '../../device-model/time.ts';
import { acpiPm, acpiPmTimerHz, pm1, pm1Control, sleepTypeS5 } from '../../spec/pc/acpi-pm.ts';
import { nsOfTick, ticksAt } from './tick-rate.ts';

export interface AcpiPmLines {
  readonly timers: TimerService;
  /** System control interrupt, level-triggered. */
  readonly sci: IrqLine;
  /** The guest enters S5: the machine is to be switched off. May be called again. */
  readonly powerOff: () => void;
}

export interface AcpiPmState {
  status: number;
  enable: number;
  control: number;
  lastHalf: number;
}

const clearable = pm1.timer | pm1.busMaster | pm1.global | pm1.powerButton | pm1.sleepButton | pm1.rtc | pm1.wake;
const enableable = pm1.timer | pm1.global | pm1.powerButton | pm1.sleepButton | pm1.rtc;

export class AcpiPm implements Device<AcpiPmState>, PortHandler {
  readonly portWidth = 4;
  readonly #lines: AcpiPmLines;
  readonly #overflow: Timer;
  /** The timer's range: 2^24 or 2^32 ticks. */
  readonly #range: number;
  #base: number = acpiPm.base;
  #status = 0;
  #enable = 0;
  #control: number = pm1Control.sciEnable;
  /** Half-ranges of the timer that `#status` knows of: its top bit changes at each. */
  #lastHalf = 0;

  /** @param timerBits as the FADT announces it (TMR_VAL_EXT: 32). */
  constructor(lines: AcpiPmLines, timerBits: 24 | 32) {
    this.#lines = lines;
    this.#range = 2 ** timerBits;
    this.#overflow = lines.timers.createTimer('acpi pm timer', () => this.#update());
    this.#lastHalf = this.#half();
  }

  attach(ports: PortBus, base: number = acpiPm.base): void {
    this.#base = base;
    ports.map(base, base + acpiPm.length - 1, this);
  }

  reset(): void {
    this.restore({ status: 0, enable: 0, control: pm1Control.sciEnable, lastHalf: this.#half() });
  }

  save(): AcpiPmState {
    return { status: this.#status, enable: this.#enable, control: this.#control, lastHalf: this.#lastHalf };
  }

  restore(state: AcpiPmState): void {
    this.#status = state.status;
    this.#enable = state.enable;
    this.#control = state.control;
    this.#lastHalf = state.lastHalf;
    this.#update();
  }

  /** Somebody presses the power button: a request that the guest may honour. */
  pressPowerButton(): void {
    this.#status |= pm1.powerButton;
    this.#update();
  }

  readPort(port: number, size: number): number {
    this.#settle();
    const offset = port - this.#base;
    if (offset === acpiPm.timer && size === 4) return this.#ticks() % this.#range;
    let value = 0;
    for (let i = 0; i < size; i++) value += this.#readByte(offset + i) * 256 ** i;
    return value;
  }

  writePort(port: number, size: number, value: number): void {
    this.#settle();
    for (let i = 0; i < size; i++) this.#writeByte(port - this.#base + i, (value >>> (8 * i)) & 0xff);
    this.#update();
  }

  #ticks(): number {
    return ticksAt(this.#lines.timers.nowNs(), acpiPmTimerHz);
  }

  #half(): number {
    return Math.floor(this.#ticks() / (this.#range / 2));
  }

  #settle(): void {
    const half = this.#half();
    if (half !== this.#lastHalf) this.#status |= pm1.timer;
    this.#lastHalf = half;
  }

  #readByte(offset: number): number {
    const shift = (offset & 1) * 8;
    if (offset >= acpiPm.timer) {
      return Math.floor((this.#ticks() % this.#range) / 256 ** (offset - acpiPm.timer)) & 0xff;
    }
    switch (offset & ~1) {
      case acpiPm.pm1Event:
        return (this.#status >> shift) & 0xff;
      case acpiPm.pm1Event + 2:
        return (this.#enable >> shift) & 0xff;
      case acpiPm.pm1Control:
        return (this.#control >> shift) & 0xff;
      default:
        return 0;
    }
  }

  #writeByte(offset: number, byte: number): void {
    const shift = (offset & 1) * 8;
    const bits = byte << shift;
    const keep = 0xff00 >> shift;
    switch (offset & ~1) {
      case acpiPm.pm1Event:
        // Ones clear.
        this.#status &= ~(bits & clearable);
        return;
      case acpiPm.pm1Event + 2:
        this.#enable = (this.#enable & keep) | (bits & enableable);
        return;
      case acpiPm.pm1Control:
        this.#writeControl((this.#control & keep) | bits, shift === 8);
        return;
      default:
        // Reserved bytes and the read-only timer.
        return;
    }
  }

  #writeControl(value: number, highByte: boolean): void {
    this.#control = (value & (pm1Control.busMasterReload | pm1Control.sleepTypeMask)) | pm1Control.sciEnable;
    if (!highByte || (value & pm1Control.sleepEnable) === 0) return;
    // Other sleep types are not in the DSDT; a guest that tries one stays awake.
    if ((value & pm1Control.sleepTypeMask) >> pm1Control.sleepTypeShift === sleepTypeS5) this.#lines.powerOff();
  }

  #update(): void {
    this.#settle();
    this.#lines.sci.set((this.#status & this.#enable & enableable) !== 0);
    const waits = (this.#enable & ~this.#status & pm1.timer) !== 0;
    if (waits) this.#overflow.setDeadline(nsOfTick((this.#lastHalf + 1) * (this.#range / 2), acpiPmTimerHz));
    else this.#overflow.cancel();
  }
}
