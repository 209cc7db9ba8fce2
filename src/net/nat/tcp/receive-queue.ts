/** What a peer has sent: the stream up to the first gap, and pieces beyond it. */
import type { StreamRing } from './stream-ring.ts';

/** Pieces beyond gaps that are remembered; what would need more is dropped, and comes again. */
const maxPieces = 64;

export class ReceiveQueue {
  readonly ring: StreamRing;
  /** Everything before this offset is here. */
  next = 0;
  /** Begins and ends of pieces beyond `next`, ascending, with gaps between them. */
  readonly #pieces: number[] = [];

  constructor(ring: StreamRing) {
    this.ring = ring;
  }

  /** The offset that the ring has no room for. */
  get edge(): number {
    return this.ring.start + this.ring.limit;
  }

  get hasGap(): boolean {
    return this.#pieces.length > 0;
  }

  /** Takes `bytes[from..to)`, which lie at `offset`; what is here already or has no room is left out. */
  insert(offset: number, bytes: Uint8Array, from: number, to: number): void {
    const begin = Math.max(offset, this.next);
    const end = Math.min(offset + to - from, this.edge);
    if (begin >= end) return;
    const first = from + begin - offset;
    if (begin === this.next && this.#pieces.length === 0) {
      this.ring.store(begin, bytes, first, first + end - begin);
      this.next = end;
      return;
    }
    if (!this.#addPiece(begin, end)) return;
    this.ring.store(begin, bytes, first, first + end - begin);
    if (this.#pieces[0] === this.next) {
      this.next = this.#pieces[1] as number;
      this.#pieces.splice(0, 2);
    }
  }

  /** Notes `begin..end`, joined with the pieces that it meets. @returns false when there are too many */
  #addPiece(begin: number, end: number): boolean {
    const pieces = this.#pieces;
    let low = 0;
    while (low < pieces.length && (pieces[low + 1] as number) < begin) low += 2;
    let high = low;
    let joinedBegin = begin;
    let joinedEnd = end;
    while (high < pieces.length && (pieces[high] as number) <= end) {
      joinedBegin = Math.min(joinedBegin, pieces[high] as number);
      joinedEnd = Math.max(joinedEnd, pieces[high + 1] as number);
      high += 2;
    }
    // What closes the first gap is always welcome: it makes pieces fewer soon.
    if (high === low && pieces.length >= maxPieces * 2 && begin !== this.next) return false;
    pieces.splice(low, high - low, joinedBegin, joinedEnd);
    return true;
  }
}
