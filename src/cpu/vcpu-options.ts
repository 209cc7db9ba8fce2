/** What a virtual CPU is made of and connected to. */
import type { MmioBus } from '../device-model/mmio.ts';
import type { PortBus } from '../device-model/port-io.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import type { WasmMemory } from '../wasm/webassembly.ts';
import type { PreparedInterpreter } from './interpret/prepared.ts';
import type { InterruptSource, MsrSpace } from './processor.ts';
import type { Siblings } from './smp/siblings.ts';
import type { CpuModel } from './system/cpu-model.ts';
import type { Topology } from './system/topology.ts';
import type { TranslationService } from './translate/job.ts';

export interface VcpuOptions {
  readonly memory: GuestMemory;
  readonly mmio: MmioBus;
  readonly ports: PortBus;
  readonly interrupts: InterruptSource;
  readonly externalMsrs: MsrSpace;
  readonly model: CpuModel;
  readonly apicId: number;
  /** Of all processors of the machine; absent: this is the only one. */
  readonly topology?: Topology | undefined;
  /**
   * Which code is translated; `always` (everything at first sight, as far as it can be) is for tests, and so is `staying` (the
   * same, by regions that do not leave on a miss of the TLB, see `RegionRequest`); `verify` runs every region beside the
   * interpreter and throws a LockstepError where they differ.
   */
  readonly translates: 'never' | 'hot' | 'always' | 'staying' | 'verify';
  /** What `prepareInterpreter` made before; absent: the vCPU makes it. */
  readonly interpreter?: PreparedInterpreter | undefined;
  /** Who translates hot code; absent: the vCPU's own thread does. */
  readonly translation?: TranslationService | undefined;
  /** What translated code may take, about; absent: 256 MiB. */
  readonly codeCacheBytes?: number;
  /** Whether processors that run take all of the host's cores now, so that none is left to translate; absent: one always is. */
  readonly coresTaken?: () => boolean;
  /** Whether looks into the TLB are counted, for statistics; absent: they are not. */
  readonly countsLookups?: boolean;
  /** Nanoseconds since power-on: the unadjusted time-stamp counter (1 GHz). */
  readonly nowNs: () => number;
  /** The guest set its time-stamp counter: deadlines and clocks that go by it must move. */
  readonly tscChanged: () => void;
  /** 64 random bits. */
  readonly random: () => bigint;
  /** Its own memory, from `createVcpuMemory`, where other threads can reach it; absent: it makes one. */
  readonly ownMemory?: WasmMemory;
  /** The machine's other processors; absent: this is the only one. */
  readonly siblings?: Siblings | undefined;
  /** Whether another thread wants something of this one, so that no slice should begin; absent: none ever does. */
  readonly interrupted?: () => boolean;
}
