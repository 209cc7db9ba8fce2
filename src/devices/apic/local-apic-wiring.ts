/** What surrounds a local APIC, and what it remembers. */
import type { TimerService } from '../../device-model/time.ts';
import { apicDestinationFormat, apicRegister, apicSpurious } from '../../spec/x86/apic.ts';
import type { ApicBus } from './apic-bus.ts';
import type { ApicBox } from './apic-mail.ts';
import type { ApicTimerState } from './apic-timer.ts';
import type { ErrorStatusState } from './error-status.ts';
import type { InterruptQueueState } from './interrupt-queue.ts';
import type { LocalVectorTableState } from './local-vector-table.ts';

/** What the APIC tells its processor. */
export interface ApicProcessor {
  /** `hasInterrupt()` has become true or false. */
  changed(): void;
  nmi(): void;
  /** INIT: the processor resets, and waits for a start-up message unless it is the bootstrap processor. */
  init(): void;
  /** Start-up: real mode at `vector << 12`, if the processor waits for it. */
  startUp(vector: number): void;
  /** INTA cycle: fetches the vector of the pending interrupt from the 8259 pair. */
  externalVector(): number;
  /** The register page has moved, appeared or vanished: see `mmioAddress`. */
  mmioMoved(): void;
}

export interface LocalApicWiring {
  /** The initial APIC ID, up to 32 bits wide; the xAPIC ID is its low byte. */
  readonly id: number;
  readonly bootstrapProcessor: boolean;
  /** MAXPHYADDR: bits above it are reserved in IA32_APIC_BASE. */
  readonly physicalAddressBits: number;
  readonly bus: ApicBus;
  readonly timers: TimerService;
  /** Nanoseconds since power-on at which the guest's TSC reaches a value. */
  readonly tscToNs: (tsc: bigint) => number;
  readonly processor: ApicProcessor;
  /** Where it publishes itself to the threads of other processors, and hears from them; absent: there are none. */
  readonly box?: ApicBox | undefined;
}

/** Registers without behaviour of their own. */
export interface LocalApicRegisters {
  spurious: number;
  logicalDestination: number;
  destinationFormat: number;
  commandLow: number;
  commandHigh: number;
  /** An ExtINT message has come that the processor has not taken yet. */
  externalLatched: boolean;
}

export interface LocalApicState {
  base: bigint;
  registers: LocalApicRegisters;
  error: ErrorStatusState;
  queue: InterruptQueueState;
  table: LocalVectorTableState;
  timer: ApicTimerState;
}

/** Values after reset. SDM Vol. 3A 12.4.7.1. */
export function powerOnRegisters(): LocalApicRegisters {
  return {
    spurious: apicSpurious.resetValue,
    logicalDestination: 0,
    destinationFormat: apicDestinationFormat.resetValue,
    commandLow: 0,
    commandHigh: 0,
    externalLatched: false,
  };
}

/** The value of a register that reads as it was written, by its xAPIC offset. */
export function plainRegister(registers: LocalApicRegisters, offset: number): number | undefined {
  if (offset === apicRegister.destinationFormat) return registers.destinationFormat;
  if (offset === apicRegister.spuriousVector) return registers.spurious;
  if (offset === apicRegister.interruptCommandLow) return registers.commandLow;
  return offset === apicRegister.interruptCommandHigh ? registers.commandHigh : undefined;
}
