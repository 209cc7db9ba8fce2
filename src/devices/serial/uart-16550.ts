/**
 * 16550A serial port. A transmitted byte is on the wire at once, so the transmitter is always empty and a polling guest
 * never waits; the interrupt of the empty transmitter behaves as if it had emptied after every write.
 * Source: PC16550D datasheet.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import type { Timer, TimerService } from '../../device-model/time.ts';
import {
  uartBaudBase,
  uartFcr,
  uartFifoSize,
  uartIer,
  uartIir,
  uartLcr,
  uartLsr,
  uartMcr,
  uartMsr,
  uartRegister,
  uartTriggerLevels,
} from '../../spec/pc/uart.ts';

export interface UartLines {
  readonly timers: TimerService;
  readonly irq: IrqLine;
  /** Where the guest's bytes go. */
  readonly transmit: (byte: number) => void;
  /** The receiver can take bytes again after `canReceive` was false. Called inside a guest access: do not feed from it. */
  readonly receiveReady: () => void;
}

export interface UartState {
  divisor: number;
  ier: number;
  fcr: number;
  lcr: number;
  mcr: number;
  scratch: number;
  /** Received bytes with their error bits (LSR) from bit 8 up. */
  received: number[];
  overrun: boolean;
  transmitEmptyPending: boolean;
  timedOut: boolean;
  /** Levels of the peer's modem lines as MSR bits, and the delta bits. */
  modemLines: number;
  modemDeltas: number;
}

/** A peer that is there and ready. */
const peerReady = uartMsr.dcd | uartMsr.dsr | uartMsr.cts;

const powerOn = (modemLines: number): UartState => ({
  divisor: 12,
  ier: 0,
  fcr: 0,
  lcr: 0,
  mcr: 0,
  scratch: 0,
  received: [],
  overrun: false,
  transmitEmptyPending: false,
  timedOut: false,
  modemLines,
  modemDeltas: 0,
});

export class Uart16550 implements Device<UartState>, PortHandler {
  readonly portWidth = 1;
  readonly #lines: UartLines;
  readonly #timeout: Timer;
  #wasFull = false;
  #s = powerOn(peerReady);

  /** @param name names the port in diagnostics ("com1"). */
  constructor(name: string, lines: UartLines) {
    this.#lines = lines;
    this.#timeout = lines.timers.createTimer(`${name} receive timeout`, () => this.#expire());
  }

  /** Maps the eight registers at `base`. */
  attach(ports: PortBus, base: number): void {
    ports.map(base, base + uartRegister.scratch, this);
  }

  /** MR pin: RBR, scratch and divisor are undefined on the chip; the peer's lines are the peer's. */
  reset(): void {
    this.#s = powerOn(this.#s.modemLines);
    this.#timeout.cancel();
    this.#update();
    this.#announceRoom();
  }

  save(): UartState {
    return copyState(this.#s);
  }

  restore(state: UartState): void {
    this.#s = copyState(state);
    this.#armTimeout();
    this.#update();
  }

  get #fifos(): boolean {
    return (this.#s.fcr & uartFcr.enable) !== 0;
  }

  get #capacity(): number {
    return this.#fifos ? uartFifoSize : 1;
  }

  get #loop(): boolean {
    return (this.#s.mcr & uartMcr.loop) !== 0;
  }

  /** Whether `receive` would find room. A port in loopback does not listen. */
  canReceive(): boolean {
    return !this.#loop && this.#s.received.length < this.#capacity;
  }

  /** A byte arrives on the wire. Without room it is lost and the overrun bit tells the guest. */
  receive(byte: number): void {
    if (!this.#loop) this.#arrive(byte & 0xff);
  }

  /** A break condition arrives on the wire (Linux: magic SysRq). */
  receiveBreak(): void {
    if (!this.#loop) this.#arrive((uartLsr.breakInterrupt | uartLsr.framingError) << 8);
  }

  /** The peer changes its modem lines. @param lines the levels as MSR bits 7:4. */
  setModemLines(lines: number): void {
    const before = this.#modemLevels();
    this.#s.modemLines = lines & 0xf0;
    this.#noteModemChange(before);
    this.#update();
  }

  #arrive(entry: number): void {
    const s = this.#s;
    if (s.received.length < this.#capacity) {
      s.received.push(entry);
    } else {
      // With FIFOs the byte in the shift register is lost; without, the one in the buffer.
      s.overrun = true;
      if (!this.#fifos) s.received[0] = entry;
    }
    this.#armTimeout();
    this.#update();
  }

  readPort(port: number): number {
    const s = this.#s;
    const divisorLatch = (s.lcr & uartLcr.divisorLatch) !== 0;
    switch (port & 7) {
      case uartRegister.data:
        return divisorLatch ? s.divisor & 0xff : this.#readData();
      case uartRegister.interruptEnable:
        return divisorLatch ? s.divisor >> 8 : s.ier;
      case uartRegister.interruptIdent:
        return this.#readInterruptIdent();
      case uartRegister.lineControl:
        return s.lcr;
      case uartRegister.modemControl:
        return s.mcr;
      case uartRegister.lineStatus:
        return this.#readLineStatus();
      case uartRegister.modemStatus:
        return this.#readModemStatus();
      default:
        return s.scratch;
    }
  }

  writePort(port: number, _size: number, value: number): void {
    const s = this.#s;
    const divisorLatch = (s.lcr & uartLcr.divisorLatch) !== 0;
    switch (port & 7) {
      case uartRegister.data:
        if (divisorLatch) s.divisor = (s.divisor & 0xff00) | value;
        else this.#writeData(value);
        return;
      case uartRegister.interruptEnable:
        if (divisorLatch) s.divisor = (s.divisor & 0x00ff) | (value << 8);
        else this.#writeInterruptEnable(value & uartIer.all);
        return;
      case uartRegister.interruptIdent:
        this.#writeFifoControl(value);
        return;
      case uartRegister.lineControl:
        s.lcr = value;
        return;
      case uartRegister.modemControl:
        this.#writeModemControl(value & uartMcr.all);
        return;
      case uartRegister.scratch:
        s.scratch = value;
        return;
      default:
        // LSR and MSR are for factory tests when written.
        return;
    }
  }

  #readData(): number {
    const s = this.#s;
    const entry = s.received.shift();
    if (entry === undefined) return 0;
    this.#armTimeout();
    this.#update();
    this.#announceRoom();
    return entry & 0xff;
  }

  #announceRoom(): void {
    if (!this.#wasFull || !this.canReceive()) return;
    this.#wasFull = false;
    this.#lines.receiveReady();
  }

  #writeData(value: number): void {
    const s = this.#s;
    if (this.#loop) this.#arrive(value);
    else this.#lines.transmit(value);
    if ((s.ier & uartIer.transmitEmpty) === 0) {
      s.transmitEmptyPending = true;
      return;
    }
    // The write takes the interrupt back, the byte leaves, the interrupt returns: a new edge for the controller.
    s.transmitEmptyPending = false;
    this.#update();
    s.transmitEmptyPending = true;
    this.#update();
  }

  #writeInterruptEnable(value: number): void {
    const s = this.#s;
    // Enabling the interrupt while the holding register is empty raises it.
    if ((value & ~s.ier & uartIer.transmitEmpty) !== 0) s.transmitEmptyPending = true;
    s.ier = value;
    this.#update();
  }

  #writeFifoControl(value: number): void {
    const s = this.#s;
    const toggled = ((value ^ s.fcr) & uartFcr.enable) !== 0;
    if (toggled || (value & uartFcr.clearReceive) !== 0) {
      s.received = [];
      this.#armTimeout();
    }
    // Bits 7:1 program only while bit 0 is written as 1.
    s.fcr = (value & uartFcr.enable) === 0 ? 0 : value & ~(uartFcr.clearReceive | uartFcr.clearTransmit);
    this.#update();
    this.#announceRoom();
  }

  #writeModemControl(value: number): void {
    const before = this.#modemLevels();
    const leavesLoop = this.#loop && (value & uartMcr.loop) === 0;
    this.#s.mcr = value;
    this.#noteModemChange(before);
    this.#update();
    if (leavesLoop && this.canReceive()) this.#lines.receiveReady();
  }

  /** Levels of CTS, DSR, RI and DCD; in loopback the four outputs feed them. */
  #modemLevels(): number {
    const { mcr, modemLines } = this.#s;
    if (!this.#loop) return modemLines;
    return (
      ((mcr & uartMcr.rts) !== 0 ? uartMsr.cts : 0) |
      ((mcr & uartMcr.dtr) !== 0 ? uartMsr.dsr : 0) |
      ((mcr & uartMcr.out1) !== 0 ? uartMsr.ring : 0) |
      ((mcr & uartMcr.out2) !== 0 ? uartMsr.dcd : 0)
    );
  }

  #noteModemChange(before: number): void {
    const after = this.#modemLevels();
    const changed = before ^ after;
    let deltas = (changed & (uartMsr.cts | uartMsr.dsr | uartMsr.dcd)) >> 4;
    // RI counts only its trailing edge.
    if ((changed & before & uartMsr.ring) !== 0) deltas |= uartMsr.trailingRing;
    this.#s.modemDeltas |= deltas;
  }

  #readModemStatus(): number {
    const value = this.#modemLevels() | this.#s.modemDeltas;
    this.#s.modemDeltas = 0;
    this.#update();
    return value;
  }

  /** LSR shows the errors of the oldest byte, and reading takes them away. */
  #lineStatus(): number {
    const { received, overrun } = this.#s;
    let value = uartLsr.transmitHoldingEmpty | uartLsr.transmitterEmpty;
    if (overrun) value |= uartLsr.overrun;
    const first = received[0];
    if (first !== undefined) {
      value |= uartLsr.dataReady | (first >> 8);
      if (this.#fifos && received.some((entry) => entry > 0xff)) value |= uartLsr.fifoError;
    }
    return value;
  }

  #readLineStatus(): number {
    const s = this.#s;
    const value = this.#lineStatus();
    const first = s.received[0];
    if (!s.overrun && (first === undefined || first <= 0xff)) return value;
    s.overrun = false;
    if (first !== undefined) s.received[0] = first & 0xff;
    this.#update();
    return value;
  }

  #readInterruptIdent(): number {
    const cause = this.#cause();
    if (cause === uartIir.transmitEmpty) {
      this.#s.transmitEmptyPending = false;
      this.#update();
    }
    return cause | (this.#fifos ? uartIir.fifosEnabled : 0);
  }

  /** The pending interrupt of highest priority, as IIR shows it. */
  #cause(): number {
    const s = this.#s;
    if ((s.ier & uartIer.lineStatus) !== 0 && (s.overrun || (s.received[0] ?? 0) > 0xff)) return uartIir.lineStatus;
    if ((s.ier & uartIer.received) !== 0) {
      if (s.received.length >= this.#trigger()) return uartIir.received;
      if (s.timedOut) return uartIir.timeout;
    }
    if ((s.ier & uartIer.transmitEmpty) !== 0 && s.transmitEmptyPending) return uartIir.transmitEmpty;
    if ((s.ier & uartIer.modemStatus) !== 0 && s.modemDeltas !== 0) return uartIir.modemStatus;
    return uartIir.none;
  }

  #trigger(): number {
    return this.#fifos ? (uartTriggerLevels[this.#s.fcr >> uartFcr.triggerShift] as number) : 1;
  }

  /** A byte below the trigger level interrupts when nothing has moved for four character times. */
  #armTimeout(): void {
    const s = this.#s;
    s.timedOut = false;
    if (!this.#fifos || s.received.length === 0) {
      this.#timeout.cancel();
      return;
    }
    const bits =
      1 +
      (5 + (s.lcr & uartLcr.wordLength)) +
      ((s.lcr & uartLcr.parity) !== 0 ? 1 : 0) +
      ((s.lcr & uartLcr.twoStopBits) !== 0 ? 2 : 1);
    const charNs = (bits * 1e9 * (s.divisor === 0 ? 0x1_0000 : s.divisor)) / uartBaudBase;
    this.#timeout.setDeadline(this.#lines.timers.nowNs() + Math.ceil(4 * charNs));
  }

  #expire(): void {
    this.#s.timedOut = this.#s.received.length > 0;
    this.#update();
  }

  /** On a PC the interrupt leaves the chip through a gate that OUT2 opens; loopback pulls OUT2 inactive. */
  #update(): void {
    if (this.#s.received.length >= this.#capacity) this.#wasFull = true;
    const gate = (this.#s.mcr & (uartMcr.out2 | uartMcr.loop)) === uartMcr.out2;
    this.#lines.irq.set(gate && this.#cause() !== uartIir.none);
  }
}

function copyState(state: UartState): UartState {
  return { ...state, received: [...state.received] };
}
