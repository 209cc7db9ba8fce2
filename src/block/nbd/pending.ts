/** A request that waits for its reply. */

import { nbdCommand } from '../../spec/nbd.ts';
import { ok, type Result } from '../../support/result.ts';
import type { Extent } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

export interface Request {
  /** `nbdCommand`. */
  readonly command: number;
  /** `nbdCommandFlag`. */
  readonly flags?: number;
  readonly offset?: number;
  readonly length?: number;
  /** The data of a write. */
  readonly data?: Uint8Array;
  /** What a read fills: `length` bytes. */
  readonly into?: Uint8Array;
}

/** `extent` is what a request for the status of blocks is answered with. */
export interface Reply {
  readonly extent?: Extent;
}

/** Ranges of a read that one reply may consist of, if they do not adjoin; servers send them in order. */
const mostRanges = 1024;

export class Pending {
  readonly request: Request;
  readonly #settle: (result: Result<Reply, DiskFailure>) => void;
  /** What has come of a read: begin and end of each range, in order, none of them touching the next. */
  readonly #ranges: [number, number][] = [];
  #failure: Result<never, DiskFailure> | undefined;
  #extent: Extent | undefined;

  constructor(request: Request, settle: (result: Result<Reply, DiskFailure>) => void) {
    this.request = request;
    this.#settle = settle;
  }

  /** Takes a place for data of a read. @returns where it goes, or undefined if it must not come */
  claim(offset: number, length: number): Uint8Array | undefined {
    const { into, offset: base = 0 } = this.request;
    const [begin, end] = [offset - base, offset - base + length];
    if (into === undefined || length <= 0 || begin < 0 || end > into.length) return undefined;
    let at = this.#ranges.length;
    while (at > 0 && (this.#ranges[at - 1] as [number, number])[0] >= end) at--;
    const [before, after] = [this.#ranges[at - 1], this.#ranges[at]];
    if (before !== undefined && before[1] > begin) return undefined;
    const joinsBefore = before?.[1] === begin;
    const joinsAfter = after?.[0] === end;
    if (joinsBefore && joinsAfter) this.#ranges.splice(at - 1, 2, [before[0], after[1]]);
    else if (joinsBefore) before[1] = end;
    else if (joinsAfter) after[0] = begin;
    else if (this.#ranges.length >= mostRanges) return undefined;
    else this.#ranges.splice(at, 0, [begin, end]);
    return into.subarray(begin, end);
  }

  /** The first extent counts; more of the same reply are not needed. */
  noteExtent(extent: Extent): void {
    this.#extent ??= extent;
  }

  noteFailure(failure: Result<never, DiskFailure>): void {
    this.#failure ??= failure;
  }

  /** The reply is complete. @returns false if it lacks what it should have had; then nobody has been told */
  complete(): boolean {
    const { command, into } = this.request;
    const [first] = this.#ranges;
    const isRead = command !== nbdCommand.read || into?.length === (first === undefined ? 0 : first[1] - first[0]);
    const hasExtent = command !== nbdCommand.blockStatus || this.#extent !== undefined;
    if (this.#failure === undefined && !(isRead && hasExtent)) return false;
    this.#settle(this.#failure ?? ok(this.#extent === undefined ? {} : { extent: this.#extent }));
    return true;
  }

  fail(failure: Result<never, DiskFailure>): void {
    this.#settle(failure);
  }
}
