/** Puts the pieces of a kernel file where they belong in guest RAM. */
import type { GuestMemory } from '../memory/guest-memory.ts';
import { fail, ok } from '../support/result.ts';
import type { BootResult } from './boot-request.ts';
import type { FreeSpace } from './free-space.ts';
import { formatSize, hex } from './text.ts';

/** Bytes of the file, followed by zeros up to `memorySize`. */
export interface LoadSegment {
  readonly physicalAddress: number;
  readonly memorySize: number;
  readonly data: Uint8Array;
}

/** Checks and reserves all segments, then loads them: on failure, memory is as before. @returns their common end. */
export function loadSegments(
  memory: GuestMemory,
  space: FreeSpace,
  segments: readonly LoadSegment[],
): BootResult<number> {
  for (const { physicalAddress, memorySize } of segments) {
    if (!space.isRam(physicalAddress, memorySize)) {
      return fail(
        'does-not-fit',
        `The kernel wants ${formatSize(memorySize)} at ${hex(physicalAddress)}, which is not RAM of a guest with ` +
          `${formatSize(space.ramBytes)}; give it more with --memory.`,
      );
    }
    if (!space.isFree(physicalAddress, memorySize)) {
      return fail('malformed', `The kernel's segment at ${hex(physicalAddress)} overlaps another one.`);
    }
    space.take(physicalAddress, memorySize);
  }
  for (const { physicalAddress, memorySize, data } of segments) {
    memory.write(physicalAddress, data);
    zero(memory, physicalAddress + data.length, memorySize - data.length);
  }
  return ok(Math.max(...segments.map((segment) => segment.physicalAddress + segment.memorySize)));
}

/** Whether one of the segments holds `address`. */
export function isLoaded(segments: readonly LoadSegment[], address: number): boolean {
  return segments.some(
    ({ physicalAddress, memorySize }) => address >= physicalAddress && address < physicalAddress + memorySize,
  );
}

function zero(memory: GuestMemory, address: number, length: number): void {
  if (length === 0) return;
  const offset = memory.ramOffset(address);
  memory.markWritten(offset, length);
  memory.bytes.fill(0, offset, offset + length);
}
