/**
 * Keyboard controller, ports 60h and 64h, with a keyboard and a mouse behind it.
 * A controller's own answer replaces what is in the output buffer, as on the chip; device bytes wait in the devices.
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import {
  i8042Command,
  i8042Config,
  i8042InputPort,
  i8042OutputPort,
  i8042Port,
  i8042Reply,
  i8042Status,
} from '../../spec/pc/i8042.ts';
import { Keyboard, type KeyboardState } from './keyboard.ts';
import { Mouse, type MouseState } from './mouse.ts';
import { ScancodeTranslation } from './scancode-translation.ts';

export interface I8042Lines {
  readonly irq1: IrqLine;
  readonly irq12: IrqLine;
  /** This controller's side of the A20 gate; port 92h drives the other one. */
  readonly a20: IrqLine;
  /** Asks for a reset of the machine; it may happen after the guest's access returns. */
  readonly requestReset: () => void;
}

export interface I8042State {
  ram: number[];
  /** The output buffer and whether it is full, and of the mouse. */
  output: number;
  outputFull: boolean;
  outputIsAux: boolean;
  lastWriteWasCommand: boolean;
  /** The command whose data byte comes next, 0 when none is due. */
  command: number;
  a20: boolean;
  breakPending: boolean;
  keyboard: KeyboardState;
  mouse: MouseState;
}

/** As a BIOS hands over: tested, keyboard on with translation and interrupt, mouse port off. */
const biosConfig = i8042Config.keyboardInterrupt | i8042Config.system | i8042Config.auxDisable | i8042Config.translate;

export class I8042 implements Device<I8042State>, PortHandler {
  readonly portWidth = 1;
  readonly keyboard = new Keyboard();
  readonly mouse = new Mouse();
  readonly #lines: I8042Lines;
  readonly #translation = new ScancodeTranslation();
  #ram: number[] = [];
  #output = 0;
  #outputFull = false;
  #outputIsAux = false;
  #lastWriteWasCommand = true;
  #command = 0;
  #a20 = true;

  constructor(lines: I8042Lines) {
    this.#lines = lines;
    this.reset();
  }

  attach(ports: PortBus): void {
    ports.map(i8042Port.data, i8042Port.data, this);
    ports.map(i8042Port.command, i8042Port.command, this);
  }

  reset(): void {
    this.keyboard.reset();
    this.mouse.reset();
    this.restore({
      ram: [biosConfig, ...Array.from({ length: 31 }, () => 0)],
      output: 0,
      outputFull: false,
      outputIsAux: false,
      lastWriteWasCommand: true,
      command: 0,
      a20: true,
      breakPending: false,
      keyboard: this.keyboard.save(),
      mouse: this.mouse.save(),
    });
  }

  save(): I8042State {
    return {
      ram: [...this.#ram],
      output: this.#output,
      outputFull: this.#outputFull,
      outputIsAux: this.#outputIsAux,
      lastWriteWasCommand: this.#lastWriteWasCommand,
      command: this.#command,
      a20: this.#a20,
      breakPending: this.#translation.breakPending,
      keyboard: this.keyboard.save(),
      mouse: this.mouse.save(),
    };
  }

  restore(state: I8042State): void {
    this.#ram = [...state.ram];
    this.#output = state.output;
    this.#outputFull = state.outputFull;
    this.#outputIsAux = state.outputIsAux;
    this.#lastWriteWasCommand = state.lastWriteWasCommand;
    this.#command = state.command;
    this.#translation.breakPending = state.breakPending;
    this.keyboard.restore(state.keyboard);
    this.mouse.restore(state.mouse);
    this.#setA20(state.a20);
    this.#update();
  }

  /** Key events from the host, in scan code set 2 ([0x1c] presses A, [0xf0, 0x1c] releases it), one event a call. */
  injectScancodes(set2: readonly number[]): void {
    this.keyboard.inject(set2);
    this.#update();
  }

  readPort(port: number): number {
    if (port === i8042Port.command) return this.#status();
    const value = this.#output;
    if (this.#outputFull) {
      this.#outputFull = false;
      // The wire falls before the next byte raises it: every byte is an edge.
      this.#driveInterrupts();
      this.#update();
    }
    return value;
  }

  writePort(port: number, _size: number, value: number): void {
    this.#lastWriteWasCommand = port === i8042Port.command;
    if (port === i8042Port.command) {
      this.#command = 0;
      this.#execute(value);
    } else {
      this.#writeData(value);
    }
    this.#update();
  }

  get #config(): number {
    return this.#ram[0] as number;
  }

  #status(): number {
    return (
      (this.#outputFull ? i8042Status.outputFull : 0) |
      (this.#outputFull && this.#outputIsAux ? i8042Status.auxData : 0) |
      ((this.#config & i8042Config.system) !== 0 ? i8042Status.system : 0) |
      (this.#lastWriteWasCommand ? i8042Status.command : 0) |
      i8042Status.notInhibited
    );
  }

  #put(byte: number, isAux: boolean): void {
    this.#output = byte;
    this.#outputIsAux = isAux;
    this.#outputFull = true;
  }

  #setConfig(set: number, clear: number): void {
    this.#ram[0] = (this.#config & ~clear) | set;
  }

  #execute(command: number): void {
    if (command >= i8042Command.readRam && command <= i8042Command.readRamLast) {
      this.#put(this.#ram[command & 0x1f] as number, false);
    } else if (command >= i8042Command.writeRam && command <= i8042Command.writeRamLast) {
      this.#command = command;
    } else if (command >= i8042Command.pulseOutputs) {
      // Bits 3:0 are the lines that are left alone; bit 0 is reset.
      if ((command & i8042OutputPort.notReset) === 0) this.#lines.requestReset();
    } else {
      this.#executeSingle(command);
    }
  }

  #executeSingle(command: number): void {
    const answer = this.#answer(command);
    if (answer >= 0) {
      this.#put(answer, false);
      return;
    }
    switch (command) {
      case i8042Command.disableAux:
        this.#setConfig(i8042Config.auxDisable, 0);
        break;
      case i8042Command.enableAux:
        this.#setConfig(0, i8042Config.auxDisable);
        break;
      case i8042Command.disableKeyboard:
        this.#setConfig(i8042Config.keyboardDisable, 0);
        break;
      case i8042Command.enableKeyboard:
        this.#setConfig(0, i8042Config.keyboardDisable);
        break;
      case i8042Command.selfTest:
        this.#setConfig(i8042Config.system, 0);
        this.#put(i8042Reply.selfTestPassed, false);
        break;
      case i8042Command.writeOutputPort:
      case i8042Command.writeKeyboardBuffer:
      case i8042Command.writeAuxBuffer:
      case i8042Command.writeAux:
        this.#command = command;
        break;
      default:
        // Unknown commands have no effect.
        break;
    }
  }

  /** What a command that only asks is answered, -1 for other commands. */
  #answer(command: number): number {
    switch (command) {
      case i8042Command.testPassword:
        return i8042Reply.noPassword;
      case i8042Command.testAux:
      case i8042Command.testKeyboard:
        return i8042Reply.portTestPassed;
      case i8042Command.readInputPort:
        return i8042InputPort;
      case i8042Command.readOutputPort:
        return this.#outputPort();
      case i8042Command.readTestInputs:
        return 0;
      default:
        return -1;
    }
  }

  #writeData(value: number): void {
    const command = this.#command;
    this.#command = 0;
    if (command >= i8042Command.writeRam && command <= i8042Command.writeRamLast) {
      this.#ram[command & 0x1f] = value;
    } else if (command === i8042Command.writeOutputPort) {
      this.#setA20((value & i8042OutputPort.a20) !== 0);
      if ((value & i8042OutputPort.notReset) === 0) this.#lines.requestReset();
    } else if (command === i8042Command.writeKeyboardBuffer) {
      this.#put(value, false);
    } else if (command === i8042Command.writeAuxBuffer) {
      this.#put(value, true);
    } else if (command === i8042Command.writeAux) {
      this.mouse.write(value);
    } else {
      // Sending to the keyboard switches its interface on.
      this.#setConfig(0, i8042Config.keyboardDisable);
      this.keyboard.write(value);
    }
  }

  #setA20(enabled: boolean): void {
    this.#a20 = enabled;
    this.#lines.a20.set(enabled);
  }

  #outputPort(): number {
    const full = this.#outputFull;
    return (
      i8042OutputPort.notReset |
      i8042OutputPort.clockAndData |
      (this.#a20 ? i8042OutputPort.a20 : 0) |
      (full && !this.#outputIsAux ? i8042OutputPort.keyboardFull : 0) |
      (full && this.#outputIsAux ? i8042OutputPort.auxFull : 0)
    );
  }

  /** Takes the next device byte if there is room for it, then drives the interrupt wires. */
  #update(): void {
    if (!this.#outputFull && (this.#config & i8042Config.keyboardDisable) === 0) this.#fetchKeyboard();
    if (!this.#outputFull && (this.#config & i8042Config.auxDisable) === 0) {
      const byte = this.mouse.take();
      if (byte >= 0) this.#put(byte, true);
    }
    this.#driveInterrupts();
  }

  #fetchKeyboard(): void {
    const translates = (this.#config & i8042Config.translate) !== 0;
    for (let byte = this.keyboard.take(); byte >= 0; byte = this.keyboard.take()) {
      const translated = translates ? this.#translation.next(byte) : byte;
      if (translated < 0) continue;
      this.#put(translated, false);
      return;
    }
  }

  #driveInterrupts(): void {
    const { irq1, irq12 } = this.#lines;
    irq1.set(this.#outputFull && !this.#outputIsAux && (this.#config & i8042Config.keyboardInterrupt) !== 0);
    irq12.set(this.#outputFull && this.#outputIsAux && (this.#config & i8042Config.auxInterrupt) !== 0);
  }
}
