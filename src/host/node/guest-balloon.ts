/** A guest's balloon as people speak of it: by the memory that the guest has, not by what it gave back. */
import type { BalloonStatistics, VirtioBalloon } from '../../devices/virtio/balloon.ts';
import type { Statistics } from '../../machine/config.ts';

/** How much of its memory a guest is to give back, in bytes. It can change, and outlives a reboot of the guest. */
export interface BalloonTarget {
  bytes: number;
}

export interface BalloonFacts {
  /** What the guest was given at its start. */
  readonly memoryBytes: number;
  /** What it is to get along with. */
  readonly targetBytes: number;
  /** What it has at the moment. */
  readonly actualBytes: number;
  /** Given back to this host so far, by the balloon or as free pages; a page may count more than once. */
  readonly releasedBytes: number;
  /** What the guest said of its memory last; what it leaves out is not there. */
  readonly statistics: BalloonStatistics;
}

export class GuestBalloon {
  readonly #device: VirtioBalloon;
  readonly #target: BalloonTarget;
  readonly #memoryBytes: number;

  constructor(device: VirtioBalloon, target: BalloonTarget, memoryBytes: number) {
    this.#device = device;
    this.#target = target;
    this.#memoryBytes = memoryBytes;
  }

  facts(): BalloonFacts {
    const { actualBytes, releasedBytes, statistics } = this.#device;
    return {
      memoryBytes: this.#memoryBytes,
      targetBytes: this.#memoryBytes - this.#target.bytes,
      actualBytes: this.#memoryBytes - actualBytes,
      releasedBytes,
      statistics,
    };
  }

  /** Asks the guest to get along with `bytes`. @returns whether it has that much memory */
  setTarget(bytes: number): boolean {
    if (bytes > this.#memoryBytes) return false;
    this.#target.bytes = this.#memoryBytes - bytes;
    this.#device.setTarget(this.#target.bytes);
    return true;
  }

  requestStatistics(): void {
    this.#device.requestStatistics();
  }

  /** For the counts at the end of a run. */
  counts(): Statistics {
    const { freeBytes, totalBytes, availableBytes } = this.#device.statistics;
    const said = { guestFreeBytes: freeBytes, guestTotalBytes: totalBytes, guestAvailableBytes: availableBytes };
    const known = Object.entries(said).filter((entry): entry is [string, number] => entry[1] !== undefined);
    const { actualBytes, releasedBytes } = this.#device;
    return { balloonBytes: actualBytes, releasedBytes, ...Object.fromEntries(known) };
  }
}
