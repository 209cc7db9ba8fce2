/** What a machine is built from, what it needs from its host, and what becomes of it. */
import type { PreparedInterpreter } from '../cpu/interpret/prepared.ts';
import type { Bus } from '../cpu/smp/bus-module.ts';
import type { Topology } from '../cpu/system/topology.ts';
import type { TranslationService } from '../cpu/translate/job.ts';
import type { Result } from '../support/result.ts';
import type { WasmMemory } from '../wasm/webassembly.ts';
import type { ProfileEntry } from './profile.ts';
import type { SharedMachine } from './shared-machine.ts';

/** A file that the machine's host reads straight into the guest's memory. */
export interface BootFile {
  /** What it is for, in messages: initrd, module. */
  readonly role: string;
  readonly path: string;
  /** In bytes; a file that has another length by then is refused. */
  readonly length: number;
}

export type BootData = Uint8Array | BootFile;

export interface BootModule {
  readonly data: BootData;
  readonly commandLine: string;
}

/** The machine finds the boot protocol in the kernel's own headers. */
export interface KernelSource {
  readonly kind: 'kernel';
  readonly kernel: Uint8Array;
  readonly initrd?: BootData;
  readonly commandLine: string;
  readonly modules: readonly BootModule[];
}

/** The processor starts at its reset vector, in this image. */
export interface FirmwareSource {
  readonly kind: 'firmware';
  readonly image: Uint8Array;
}

export type BootSource = KernelSource | FirmwareSource;

/** `verify` translates, and runs every region beside the interpreter, to find differences. */
export type Accelerator = 'auto' | 'interpret' | 'translate' | 'verify';

export interface MachineConfig {
  /** A multiple of 64 KiB, up to 4 GiB. */
  readonly memoryBytes: number;
  readonly boot: BootSource;
  readonly accel: Accelerator;
  /** What translated code may take, about. */
  readonly codeCacheBytes: number;
  /** Whether to note where the guest spends its time. */
  readonly profile: boolean;
  /** Whether to count what the TLB answers, which makes the guest slower. */
  readonly countsTlbHits: boolean;
  /** A named processor model. */
  readonly cpuModel: string;
  /** Its processors; absent: one. */
  readonly topology?: Topology | undefined;
  /** Whether a write to port 0xf4 ends the run. */
  readonly debugExit: boolean;
}

/** COM1 is 0, COM2 is 1. */
export type SerialPort = 0 | 1;

/** A processor's side of the operating system. All of it is called on the processor's own thread, which it may block. */
export interface ProcessorHost {
  /** Nanoseconds of a clock that never goes back and that all threads share. */
  nowNs(): number;
  /** Milliseconds since 1970, as the real-time clock starts with. */
  wallClockMs(): number;
  /** 64 random bits that nobody can predict. */
  random64(): bigint;
  /** Returns after `maxNs` (`Infinity` is possible), or earlier when somebody wakes this processor. */
  sleep(maxNs: number): void;
  /**
   * To be asked before each slice. If the guest has had its due for now, it waits until there is more, or somebody wakes
   * this processor. @returns how long it has waited, in nanoseconds; 0: the slice may begin
   */
  standBack(): number;
  /** Wakes another processor's thread if it sleeps. */
  ring(processor: number): void;
  /** The I/O thread has something to do: its devices' mailboxes say what. */
  wakeIo(): void;
  stopRequested(): boolean;
  /**
   * Parts of a processor's memory hold nothing any more: offsets in bytes, from and to. They read as zeroes afterwards, or as
   * before. What garbage this thread has can go as well. Absent: the host keeps memory.
   */
  readonly giveBack?: ((memory: WasmMemory, ranges: readonly (readonly [number, number])[]) => void) | undefined;
  /** How this host exchanges 16 bytes of RAM in one step, for a processor with its own memory; absent: it cannot. */
  readonly wideExchange?: ((ram: WasmMemory, own: WasmMemory) => Bus['exchangeWide']) | undefined;
  /** Threads that this host runs at once. */
  readonly cores: number;
  /** What `prepareInterpreter` made when the program was built; absent: each processor makes it for itself. */
  readonly interpreter?: (() => PreparedInterpreter | undefined) | undefined;
  /** Translates guest code on another thread; absent: the processor's own does. */
  readonly translation?: TranslationService | undefined;
}

/** The machine's side of the operating system. All of it is called on the machine's thread, which it may block. */
export interface MachineHost extends ProcessorHost {
  /**
   * Takes `bytes`, which the caller uses again afterwards. Blocks while the reader is slow, unless a stop is requested:
   * then what does not fit is dropped.
   */
  serialOutput(port: SerialPort, bytes: Uint8Array): void;
  /** The next byte for the guest, or -1. Never blocks. */
  serialInput(port: SerialPort): number;
  /** Whether the machine is to stand still; `sleep` returns when that changes. */
  pauseRequested(): boolean;
  /** Takes a request that waits, if there is one. Never blocks. */
  takeRequest(): MachineRequest | undefined;
  report(event: MachineEvent): void;
  /** Fills `into`, which has the file's length. Errors: kind `input`, for people. */
  readFile(file: BootFile, into: Uint8Array): Result<void>;
}

/** What the host asks a machine for; it is met between two slices, also while the machine is paused. */
export type MachineRequest = 'power-button' | 'statistics';

/** What a machine tells its host while it runs. */
export type MachineEvent =
  /** From `paused` to `resumed` no instruction runs and guest time stands still. */
  | { readonly kind: 'paused' }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'statistics'; readonly statistics: Statistics };

/** What the guest asks the board for; it happens when the running instructions have come to a boundary. */
export type EndRequest =
  /** ACPI S5. */
  | { readonly kind: 'power-off' }
  /** Reset control register, port 92h, keyboard controller, INIT of the boot processor. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'debug-exit'; readonly value: number };

/**
 * How a run ends. A reset ends it too: whether the machine is to be built again from its boot source (a reboot that
 * somebody asked for) or has died (a kernel that resets after a panic) is for the one to tell who knows the guest.
 */
export type Outcome =
  | EndRequest
  /** Shutdown state of the processor (triple fault). `report` has lines for people. */
  | { readonly kind: 'guest-died'; readonly reason: string; readonly report: string }
  /** The host asked for it. */
  | { readonly kind: 'stopped' };

/** Named numbers, units in the names. */
export type Statistics = Readonly<Record<string, number>>;

export interface Machine {
  run(): Outcome;
  statistics(): Statistics;
  /** The hottest code, the hottest first; nothing unless the configuration asks for it. */
  profile(): readonly ProfileEntry[];
}

/** A processor beyond the first, for a thread of its own. */
export interface FurtherProcessor {
  /** Runs until the machine comes to its end. */
  run(): void;
  statistics(): Statistics;
}

/** @param processor its number, from 1 on */
export type CreateProcessor = (
  config: MachineConfig,
  shared: SharedMachine,
  host: ProcessorHost,
  processor: number,
) => FurtherProcessor;

/** Errors: `configuration`, a value that no machine can have; `input`, a file that is malformed or does not fit. */
export type CreateMachine = (config: MachineConfig, shared: SharedMachine, host: MachineHost) => Result<Machine>;
