/** What a loader gets and gives. */
import type { GuestMemory } from '../memory/guest-memory.ts';
import { type Failure, fail, ok, type Result } from '../support/result.ts';
import type { InitialCpuState } from './cpu-state.ts';
import type { MemoryRange } from './memory-map.ts';

/** Bytes that are not in memory yet: they are read to where the guest has them, without a copy in between. */
export interface UnreadData {
  readonly length: number;
  /** Fills all of `target`, which has `length` bytes. */
  readInto(target: Uint8Array): Result<void>;
}

export type BootData = Uint8Array | UnreadData;

export interface BootModule {
  readonly data: BootData;
  readonly commandLine: string;
}

export interface BootRequest {
  readonly memory: GuestMemory;
  readonly memoryMap: readonly MemoryRange[];
  readonly kernel: Uint8Array;
  readonly commandLine: string;
  /** The initial RAM disk; for PVH and multiboot it is the first module. */
  readonly initrd?: BootData | undefined;
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
  /** Cannot be read, or not as it was when the machine was described. */
  | 'unreadable'
  | 'bad-command-line';

export type BootResult<T> = Result<T, Failure<BootErrorKind>>;

/** All modules in order, the initial RAM disk first. */
export function allModules(request: BootRequest): BootModule[] {
  const initrd = request.initrd;
  const first = initrd === undefined || initrd.length === 0 ? [] : [{ data: initrd, commandLine: '' }];
  return [...first, ...(request.modules ?? [])];
}

/** Puts `data` at a guest-physical address where there is RAM for it. */
export function placeData(memory: GuestMemory, address: number, data: BootData): BootResult<void> {
  if (data instanceof Uint8Array) {
    memory.write(address, data);
    return ok(undefined);
  }
  const offset = memory.ramOffset(address);
  memory.markWritten(offset, data.length);
  const read = data.readInto(memory.bytes.subarray(offset, offset + data.length));
  return read.ok ? read : fail('unreadable', read.error.message);
}
