/** A PS/2 keyboard: commands, and scan codes in set 2 or set 1. Source: IBM PS/2 Technical Reference, "Keyboards". */
import { keyboardCommand, ps2Reply, scancode } from '../../spec/pc/i8042.ts';
import { ScancodeTranslation } from './scancode-translation.ts';

export interface KeyboardState {
  enabled: boolean;
  scancodeSet: number;
  leds: number;
  /** The command whose parameter comes next, 0 when none is due. */
  command: number;
  lastSent: number;
  replies: number[];
  codes: number[];
}

/** Scan codes that the keyboard keeps while nobody takes them. */
const bufferSize = 16;

export class Keyboard {
  #enabled = true;
  #scancodeSet = 2;
  #leds = 0;
  #command = 0;
  #lastSent = 0;
  #replies: number[] = [];
  #codes: number[] = [];

  /** Scroll, Num and Caps Lock lamps in bits 0 to 2. */
  get leds(): number {
    return this.#leds;
  }

  /** As firmware leaves it: tested, scanning. */
  reset(): void {
    this.#setDefaults(true);
    this.#command = 0;
    this.#replies = [];
  }

  #setDefaults(enabled: boolean): void {
    this.#enabled = enabled;
    this.#scancodeSet = 2;
    this.#leds = 0;
    this.#codes = [];
  }

  save(): KeyboardState {
    return {
      enabled: this.#enabled,
      scancodeSet: this.#scancodeSet,
      leds: this.#leds,
      command: this.#command,
      lastSent: this.#lastSent,
      replies: [...this.#replies],
      codes: [...this.#codes],
    };
  }

  restore(state: KeyboardState): void {
    this.#enabled = state.enabled;
    this.#scancodeSet = state.scancodeSet;
    this.#leds = state.leds;
    this.#command = state.command;
    this.#lastSent = state.lastSent;
    this.#replies = [...state.replies];
    this.#codes = [...state.codes];
  }

  /** The next byte for the host, -1 when there is none. */
  take(): number {
    const byte = this.#replies.shift() ?? this.#codes.shift();
    if (byte === undefined) return -1;
    this.#lastSent = byte;
    return byte;
  }

  /** Whole key events in set 2. When they do not fit, an overrun code takes their place: no half event is sent. */
  inject(set2: readonly number[]): void {
    if (!this.#enabled) return;
    const bytes = this.#scancodeSet === 1 ? toSet1(set2) : set2;
    const overrun = this.#scancodeSet === 1 ? scancode.overrunSet1 : scancode.overrun;
    if (this.#codes.length + bytes.length < bufferSize) this.#codes.push(...bytes);
    else if (this.#codes.at(-1) !== overrun) this.#codes.push(overrun);
  }

  /** A byte from the host: a command or its parameter. It ends whatever reply was under way. */
  write(byte: number): void {
    const command = this.#command;
    this.#command = 0;
    if (command !== 0 && byte < keyboardCommand.setLeds) this.#parameter(command, byte);
    else this.#execute(byte);
  }

  #reply(...bytes: number[]): void {
    this.#replies = bytes;
  }

  #execute(command: number): void {
    switch (command) {
      case keyboardCommand.setLeds:
      case keyboardCommand.scancodeSet:
      case keyboardCommand.setTypematic:
        this.#command = command;
        this.#reply(ps2Reply.ack);
        return;
      case keyboardCommand.echo:
        this.#reply(ps2Reply.echo);
        return;
      case keyboardCommand.identify:
        this.#reply(ps2Reply.ack, ...ps2Reply.keyboardId);
        return;
      case keyboardCommand.enable:
        this.#enabled = true;
        this.#codes = [];
        this.#reply(ps2Reply.ack);
        return;
      case keyboardCommand.disable:
      case keyboardCommand.setDefaults:
        this.#setDefaults(command === keyboardCommand.setDefaults);
        this.#reply(ps2Reply.ack);
        return;
      case keyboardCommand.resend:
        this.#reply(this.#lastSent);
        return;
      case keyboardCommand.reset:
        this.#setDefaults(true);
        this.#reply(ps2Reply.ack, ps2Reply.selfTestPassed);
        return;
      default:
        this.#reply(ps2Reply.resend);
    }
  }

  #parameter(command: number, value: number): void {
    if (command === keyboardCommand.setLeds) {
      this.#leds = value & 7;
    } else if (command === keyboardCommand.scancodeSet) {
      if (value === 0) {
        this.#reply(ps2Reply.ack, this.#scancodeSet);
        return;
      }
      // Set 3 is not offered.
      if (value > 2) {
        this.#reply(ps2Reply.resend);
        return;
      }
      this.#scancodeSet = value;
      this.#codes = [];
    }
    // Typematic repeat is the host keyboard's own: the rate is accepted and changes nothing.
    this.#reply(ps2Reply.ack);
  }
}

function toSet1(set2: readonly number[]): number[] {
  const translation = new ScancodeTranslation();
  return set2.map((byte) => translation.next(byte)).filter((byte) => byte >= 0);
}
