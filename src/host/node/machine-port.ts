/**
 * What this room needs from a machine, and what it gives to one. The machine runs on a thread of its own, which it
 * blocks until the guest ends.
 */
import type { Result } from '../../support/result.ts';

export interface BootModule {
  readonly data: Uint8Array;
  readonly commandLine: string;
}

/** The machine finds the boot protocol in the kernel's own headers. */
export interface BootSource {
  readonly kind: 'kernel';
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly commandLine: string;
  readonly modules: readonly BootModule[];
}

export type Accelerator = 'auto' | 'interpret' | 'translate';

export interface MachineConfig {
  readonly memoryBytes: number;
  readonly boot: BootSource;
  readonly accel: Accelerator;
  /** A named processor model; the machine knows the names. */
  readonly cpuModel: string;
  /** Whether a write to port 0xf4 ends the run. */
  readonly debugExit: boolean;
}

/** COM1 is 0, COM2 is 1. */
export type SerialPort = 0 | 1;

export interface MachineHost {
  /** Nanoseconds of a clock that never goes back. */
  nowNs(): number;
  /** Milliseconds since 1970, as the real-time clock starts with. */
  wallClockMs(): number;
  /** Returns after `maxNs`, or earlier when there is input or a stop request. */
  sleep(maxNs: number): void;
  /** Blocks while the reader is slow, unless a stop is requested: then what does not fit is dropped. */
  serialOutput(port: SerialPort, bytes: Uint8Array): void;
  /** The next byte for the guest, or -1. Never blocks. */
  serialInput(port: SerialPort): number;
  stopRequested(): boolean;
}

export type Outcome =
  | { readonly kind: 'power-off' }
  | { readonly kind: 'debug-exit'; readonly value: number }
  | { readonly kind: 'guest-died'; readonly reason: string; readonly report: string }
  | { readonly kind: 'reset' }
  | { readonly kind: 'stopped' };

/** Named numbers, units in the names. */
export type Statistics = Readonly<Record<string, number>>;

export interface Machine {
  run(): Outcome;
  statistics(): Statistics;
}

/**
 * Failures: kind `configuration` for a value that no machine can have (an unknown processor model, a memory size),
 * kind `input` for a file that is malformed or does not fit.
 */
export type CreateMachine = (config: MachineConfig, host: MachineHost) => Result<Machine>;
