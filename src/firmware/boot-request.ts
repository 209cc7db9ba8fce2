/** What a loader gets and gives. */
import type { GuestMemory } from '../memory/guest-memory.ts';
import type { Failure, Result } from '../support/result.ts';
import type { InitialCpuState } from './cpu-state.ts';
import type { MemoryRange } from './memory-map.ts';

export interface BootModule {
  readonly data: Uint8Array;
  readonly commandLine: string;
}

export interface BootRequest {
  readonly memory: GuestMemory;
  readonly memoryMap: readonly MemoryRange[];
  readonly kernel: Uint8Array;
  readonly commandLine: string;
  /** The initial RAM disk; for PVH and multiboot it is the first module. */
  readonly initrd?: Uint8Array | undefined;
  readonly modules?: readonly BootModule[] | undefined;
  /** Guest-physical address of the ACPI RSDP; 0 without ACPI. */
  readonly rsdpAddress: number;
}

type BootProtocol = 'linux-64' | 'linux-32' | 'pvh' | 'multiboot';

export interface LoadedGuest {
  readonly protocol: BootProtocol;
  readonly state: InitialCpuState;
}

export type BootErrorKind =
  /** Not a kernel of any kind known here. */
  | 'not-a-kernel'
  /** The file ends early. */
  | 'truncated'
  /** A kernel for another machine. */
  | 'wrong-architecture'
  /** A kernel that wants what this loader does not offer. */
  | 'unsupported'
  /** Contradicts itself or its format. */
  | 'malformed'
  /** Does not fit into the guest's RAM. */
  | 'does-not-fit'
  | 'bad-command-line';

export type BootResult<T> = Result<T, Failure<BootErrorKind>>;

/** All modules in order, the initial RAM disk first. */
export function allModules(request: BootRequest): BootModule[] {
  const initrd = request.initrd;
  const first = initrd === undefined || initrd.length === 0 ? [] : [{ data: initrd, commandLine: '' }];
  return [...first, ...(request.modules ?? [])];
}
