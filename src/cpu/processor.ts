/** What slow paths work on: one vCPU's state, memory, and the lines to the rest of the machine. */
import type { PortBus } from '../device-model/port-io.ts';
import type { Mmu } from './mmu/mmu.ts';
import type { CpuState } from './state/cpu-state.ts';

/** The interrupt controller as its CPU sees it (the local APIC, with the PIC behind it). */
export interface InterruptSource {
  /** A maskable interrupt is deliverable. */
  hasInterrupt(): boolean;
  /** Takes it. @returns the vector; -1 if it went away. */
  acknowledge(): number;
  /** CR8. */
  taskPriority: number;
}

/** MSRs that live outside the CPU room (local APIC, kvmclock). */
export interface MsrSpace {
  /** @returns undefined for an MSR that does not exist (#GP). */
  read(index: number): bigint | undefined;
  /** @returns false to raise #GP(0). */
  write(index: number, value: bigint): boolean;
}

export interface Processor {
  readonly state: CpuState;
  readonly mmu: Mmu;
  readonly ports: PortBus;
  readonly interrupts: InterruptSource;
  /** Time-stamp counter as the guest reads it. */
  readTsc(): bigint;
  /** Paging, privilege, CS or execution modes changed: recompute everything derived from them. */
  modeChanged(): void;
  /** TLBs and jump cache. `page`: a linear address as `canonical` gives it. */
  flushTlb(scope: 'all' | 'non-global'): void;
  flushPage(linear: number): void;
}
