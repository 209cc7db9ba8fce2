/**
 * Requests to a disk whose outcome can be judged after a crash: the disk is an array of slots, each request writes one
 * number all over one slot. What was flushed has to be there; what was not may be there, in part or not at all.
 */
import type { Result } from '../../support/result.ts';
import type { Disk } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

/** Neither a multiple of clusters nor of sectors; slots share clusters. */
export const slotBytes = 2500;

export interface SlotRequest {
  readonly slot: number;
  /** No two requests have the same. */
  readonly number: number;
  /** Zeroes are written in its place. */
  readonly zero: boolean;
}

/** What may be found in each slot. There is one request for a slot at a time. */
export class SlotModel {
  /** What must not be lost but to a later one; at first, zeroes. */
  readonly #settled: (SlotRequest | undefined)[];
  /** What came since, in its order. */
  readonly #open: SlotRequest[][];

  constructor(slots: number) {
    this.#settled = new Array<SlotRequest | undefined>(slots).fill(undefined);
    this.#open = Array.from({ length: slots }, () => []);
  }

  /** As it is now. */
  copy(): SlotModel {
    const copy = new SlotModel(this.slots);
    this.#settled.forEach((request, slot) => {
      copy.#settled[slot] = request;
      copy.#open[slot] = this.#open[slot]?.slice() ?? [];
    });
    return copy;
  }

  get slots(): number {
    return this.#settled.length;
  }

  started(request: SlotRequest): void {
    this.#open[request.slot]?.push(request);
  }

  /** @param requests that had been answered when the flush was asked for */
  flushed(requests: readonly SlotRequest[]): void {
    for (const request of requests) {
      const open = this.#open[request.slot] ?? [];
      const index = open.indexOf(request);
      // A later one may have been flushed before.
      if (index < 0) continue;
      this.#settled[request.slot] = request;
      open.splice(0, index + 1);
    }
  }

  /** @returns what is wrong with a slot's content, or undefined */
  judge(slot: number, bytes: Uint8Array): string | undefined {
    const allowed = [this.#settled[slot], ...(this.#open[slot] ?? [])].map(contentByte);
    const wrong = bytes.find((byte) => !allowed.includes(byte));
    return wrong === undefined ? undefined : `slot ${slot} has ${wrong}, allowed are ${allowed.join(' ')}`;
  }
}

function contentByte(request: SlotRequest | undefined): number {
  return request === undefined || request.zero ? 0 : 1 + (request.number % 255);
}

export function performSlotRequest(disk: Disk, request: SlotRequest): Promise<Result<void, DiskFailure>> {
  const offset = request.slot * slotBytes;
  if (request.zero) return disk.writeZeroes(offset, slotBytes, request.number % 2 === 0);
  return disk.write(offset, new Uint8Array(slotBytes).fill(contentByte(request)));
}
