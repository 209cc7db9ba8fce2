import type { Statistics } from '../../machine/config.ts';
import type { GuestBalloon } from './guest-balloon.ts';
import type { Output } from './output.ts';

/** What can be done to a guest that runs. */
export interface GuestControls {
  isPaused(): boolean;
  /** Types on the console; resolves when the guest has taken it, or will not any more. */
  type(bytes: Uint8Array): Promise<void>;
  /** The console's window has that size from now on; a guest that does not speak our protocol does not hear of it. */
  resize(rows: number, columns: number): void;
  /** Asks the guest to power off, which it may ignore. */
  requestPowerOff(): void;
  /** Ends the run without asking the guest. */
  stop(): void;
  statistics(): Promise<Statistics | undefined>;
  /** @returns whether it is so now */
  setPaused(paused: boolean): Promise<boolean>;
  /** Undefined: it has none. */
  readonly balloon: GuestBalloon | undefined;
}

/** Who watches and steers a guest from outside the terminal that it may have been started on. */
export interface GuestAttendant {
  /** Takes what the guest's console shows, and never holds the guest up. */
  readonly console: Output;
  /** Nobody is at the streams of this process: what would go there goes to the console, and SIGHUP ends nothing. */
  readonly detached: boolean;
  /** The machine is built and runs; called for each start, as a reboot is one. */
  started(controls: GuestControls): void;
  /** The machine does not run any more. */
  ended(): void;
}
