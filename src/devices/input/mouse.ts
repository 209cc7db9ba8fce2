/** A PS/2 mouse that answers every command and lies still. Source: IBM PS/2 Technical Reference, "Auxiliary Device". */
import { mouseCommand, mouseStatus, ps2Reply } from '../../spec/pc/i8042.ts';

export interface MouseState {
  enabled: boolean;
  remote: boolean;
  wrap: boolean;
  scaling2: boolean;
  resolution: number;
  sampleRate: number;
  /** The command whose parameter comes next, 0 when none is due. */
  command: number;
  lastSent: number;
  replies: number[];
}

const powerOn = (): MouseState => ({
  enabled: false,
  remote: false,
  wrap: false,
  scaling2: false,
  resolution: 2,
  sampleRate: 100,
  command: 0,
  lastSent: 0,
  replies: [],
});

/** Device id of a plain two- or three-button mouse. */
const standardMouse = 0x00;
/** A movement report of nothing: bit 3 is always set. */
const stillReport = [0x08, 0x00, 0x00] as const;

export class Mouse {
  #s = powerOn();

  reset(): void {
    this.#s = powerOn();
  }

  save(): MouseState {
    return { ...this.#s, replies: [...this.#s.replies] };
  }

  restore(state: MouseState): void {
    this.#s = { ...state, replies: [...state.replies] };
  }

  /** The next byte for the host, -1 when there is none. */
  take(): number {
    const byte = this.#s.replies.shift();
    if (byte === undefined) return -1;
    this.#s.lastSent = byte;
    return byte;
  }

  /** A byte from the host: a command or its parameter. It ends whatever reply was under way. */
  write(byte: number): void {
    const s = this.#s;
    const command = s.command;
    s.command = 0;
    if (s.wrap && byte !== mouseCommand.reset && byte !== mouseCommand.resetWrap) {
      s.replies = [byte];
    } else if (command === mouseCommand.setResolution) {
      s.resolution = byte & 3;
      s.replies = [ps2Reply.ack];
    } else if (command === mouseCommand.setSampleRate) {
      s.sampleRate = byte;
      s.replies = [ps2Reply.ack];
    } else {
      // A reset replaces the state object, so the reply goes into the new one.
      const replies = this.#execute(byte);
      this.#s.replies = replies;
    }
  }

  /** @returns the reply. */
  #execute(command: number): number[] {
    const s = this.#s;
    switch (command) {
      case mouseCommand.scaling1:
      case mouseCommand.scaling2:
        s.scaling2 = command === mouseCommand.scaling2;
        return [ps2Reply.ack];
      case mouseCommand.setResolution:
      case mouseCommand.setSampleRate:
        s.command = command;
        return [ps2Reply.ack];
      case mouseCommand.statusRequest:
        return [ps2Reply.ack, this.#status(), s.resolution, s.sampleRate];
      case mouseCommand.streamMode:
      case mouseCommand.remoteMode:
        s.remote = command === mouseCommand.remoteMode;
        return [ps2Reply.ack];
      case mouseCommand.readData:
        return [ps2Reply.ack, ...stillReport];
      case mouseCommand.wrapMode:
      case mouseCommand.resetWrap:
        s.wrap = command === mouseCommand.wrapMode;
        return [ps2Reply.ack];
      case mouseCommand.identify:
        return [ps2Reply.ack, standardMouse];
      case mouseCommand.enable:
      case mouseCommand.disable:
        s.enabled = command === mouseCommand.enable;
        return [ps2Reply.ack];
      case mouseCommand.setDefaults:
        this.#s = powerOn();
        return [ps2Reply.ack];
      case mouseCommand.resend:
        return [s.lastSent];
      case mouseCommand.reset:
        this.#s = powerOn();
        return [ps2Reply.ack, ps2Reply.selfTestPassed, standardMouse];
      default:
        return [ps2Reply.resend];
    }
  }

  #status(): number {
    const s = this.#s;
    return (
      (s.remote ? mouseStatus.remote : 0) |
      (s.enabled ? mouseStatus.enabled : 0) |
      (s.scaling2 ? mouseStatus.scaling2 : 0)
    );
  }
}
