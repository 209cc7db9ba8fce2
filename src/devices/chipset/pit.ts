/**
 * The 8254 of a PC: counter 0 is wired to IRQ0, counter 2 to the speaker gate of port 61h.
 * A late host loses ticks instead of replaying them: however many periods have passed, IRQ0 rises once and the phase is
 * kept. Saved ticks count on the guest clock, which the machine restores before its devices.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import type { Timer, TimerService } from '../../device-model/time.ts';
import {
  pitAccess,
  pitControl,
  pitHz,
  pitPort,
  pitReadBack,
  refreshPeriodTicks,
  systemControlB,
} from '../../spec/pc/pit.ts';
import { PitChannel, type PitChannelState } from './pit-channel.ts';
import { nsOfTick, ticksAt } from './tick-rate.ts';

export interface PitState {
  channels: PitChannelState[];
  /** The writable bits of port 61h. */
  systemControl: number;
}

const writableControlB =
  systemControlB.timer2Gate | systemControlB.speakerEnable | systemControlB.serrDisable | systemControlB.iochkDisable;

export class Pit implements Device<PitState>, PortHandler {
  readonly portWidth = 1;
  readonly #timers: TimerService;
  readonly #irq0: IrqLine;
  readonly #tick: Timer;
  readonly #channels = [new PitChannel(true), new PitChannel(true), new PitChannel(false)] as const;
  #systemControl = 0;

  constructor(timers: TimerService, irq0: IrqLine) {
    this.#timers = timers;
    this.#irq0 = irq0;
    this.#tick = timers.createTimer('pit', () => this.#expire());
  }

  attach(ports: PortBus): void {
    ports.map(pitPort.channel0, pitPort.control, this);
    ports.map(systemControlB.port, systemControlB.port, this);
  }

  reset(): void {
    for (const channel of this.#channels) channel.reset();
    this.#systemControl = 0;
    this.#update();
  }

  save(): PitState {
    return { channels: this.#channels.map((channel) => channel.save()), systemControl: this.#systemControl };
  }

  restore(state: PitState): void {
    this.#channels.forEach((channel, index) => {
      channel.restore(state.channels[index] as PitChannelState);
    });
    this.#systemControl = state.systemControl;
    this.#update();
  }

  readPort(port: number): number {
    const now = this.#now();
    if (port === systemControlB.port) return this.#readSystemControl(now);
    // The control register is write-only.
    return this.#channels[port - pitPort.channel0]?.read(now) ?? 0xff;
  }

  writePort(port: number, _size: number, value: number): void {
    const now = this.#now();
    if (port === systemControlB.port) {
      this.#systemControl = value & writableControlB;
      this.#channels[2].setGate((value & systemControlB.timer2Gate) !== 0, now);
    } else if (port === pitPort.control) {
      this.#writeControl(value, now);
    } else {
      this.#channels[port - pitPort.channel0]?.write(value, now);
      if (port === pitPort.channel0) this.#update();
    }
  }

  #now(): number {
    return ticksAt(this.#timers.nowNs(), pitHz);
  }

  #readSystemControl(now: number): number {
    const refresh = Math.floor(now / refreshPeriodTicks) % 2 === 1 ? systemControlB.refreshToggle : 0;
    const output = this.#channels[2].output(now) ? systemControlB.timer2Out : 0;
    return this.#systemControl | refresh | output;
  }

  #writeControl(value: number, now: number): void {
    const counter = value >> pitControl.counterShift;
    if (counter === pitControl.readBack) {
      this.#channels.forEach((channel, index) => {
        if ((value & (2 << index)) === 0) return;
        if ((value & pitReadBack.notCount) === 0) channel.latchCount(now);
        if ((value & pitReadBack.notStatus) === 0) channel.latchStatus(now);
      });
      return;
    }
    const channel = this.#channels[counter];
    if (((value >> pitControl.accessShift) & 3) === pitAccess.latch) {
      channel?.latchCount(now);
      return;
    }
    channel?.writeControl(value & 0x3f, now);
    if (counter === 0) this.#update();
  }

  #arm(now: number): void {
    const rise = this.#channels[0].nextRise(now);
    if (rise === Number.POSITIVE_INFINITY) this.#tick.cancel();
    else this.#tick.setDeadline(nsOfTick(rise, pitHz));
  }

  /** After a change by the guest: OUT may have moved at once. */
  #update(): void {
    const now = this.#now();
    this.#irq0.set(this.#channels[0].output(now));
    this.#arm(now);
  }

  /** OUT has risen. Its low time before is not played to the wire except as the instant that makes the edge. */
  #expire(): void {
    this.#irq0.set(false);
    this.#irq0.set(true);
    this.#arm(this.#now());
  }
}
