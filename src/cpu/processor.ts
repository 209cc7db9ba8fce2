/** What slow paths work on: one vCPU's state, memory, and the lines to the rest of the machine. */
import type { PortBus } from '../device-model/port-io.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import type { DebugUnit } from './events/debug.ts';
import type { Mmu } from './mmu/mmu.ts';
import type { Siblings } from './smp/siblings.ts';
import type { CpuState } from './state/cpu-state.ts';
import type { CpuModel } from './system/cpu-model.ts';
import type { MsrFile } from './system/msrs.ts';
import type { Topology } from './system/topology.ts';

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
  readonly memory: GuestMemory;
  readonly ports: PortBus;
  readonly interrupts: InterruptSource;
  readonly model: CpuModel;
  readonly msrs: MsrFile;
  readonly externalMsrs: MsrSpace;
  readonly debug: DebugUnit;
  readonly apicId: number;
  /** The machine's other processors, if there are any. */
  readonly siblings: Siblings | undefined;
  readonly topology: Topology;
  /** IA32_TSC_ADJUST: what the guest added to the time-stamp counter. */
  tscAdjust: bigint;
  /** Tells the machine that `tscAdjust` changed. */
  tscChanged(): void;
  /** Time-stamp counter as the guest reads it. */
  readTsc(): bigint;
  /** What that counts, without IA32_TSC_ADJUST. */
  nowNs(): number;
  /** A 64-bit number for RDRAND. */
  random(): bigint;
  /** Instruction pointers of the running instruction and the one after it. */
  currentRip(): bigint;
  nextRip(): bigint;
  /** Ends the running instruction and leaves emitted code, because modes or pending events may have changed. */
  leave(): number;
  /** Paging, privilege, CS or execution modes changed: recompute everything derived from them. */
  modeChanged(): void;
  /** TLBs, in all address spaces. */
  flushTlb(scope: 'all' | 'non-global'): void;
  /** `linear` as `canonical` gives it. */
  flushPage(linear: number): void;
}
