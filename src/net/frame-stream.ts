/** Frames on a byte stream, each after its length: how QEMU's stream back end talks. Source: QEMU net/stream.c. */

import { ethernet } from '../spec/net/ethernet.ts';
import { frameStream } from '../spec/net/stream.ts';
import { read32, write32 } from './frame/bytes.ts';
import type { Frame } from './port.ts';

/** Takes a stream apart. */
export class FrameDecoder {
  readonly #frame: (frame: Frame) => void;
  /** The begin of a frame that has not come whole: its length and its bytes. */
  readonly #partial = new Uint8Array(frameStream.lengthBytes + frameStream.maxFrameBytes);
  #partialBytes = 0;

  /** @param frame gets each frame; valid during the call */
  constructor(frame: (frame: Frame) => void) {
    this.#frame = frame;
  }

  /** @returns false when this is no stream of frames: a length is impossible. Nothing is taken after that */
  take(bytes: Uint8Array): boolean {
    let rest = bytes;
    while (rest.length > 0) {
      const lengthMissing = frameStream.lengthBytes - this.#partialBytes;
      if (lengthMissing > 0) {
        const whole = wholeFrame(rest, this.#partialBytes);
        if (whole !== undefined) {
          this.#deliver(whole);
          rest = rest.subarray(frameStream.lengthBytes + whole.length);
          continue;
        }
        rest = this.#keep(rest, lengthMissing);
        if (this.#partialBytes < frameStream.lengthBytes) return true;
      }
      const length = read32(this.#partial, 0);
      if (length > frameStream.maxFrameBytes) return false;
      rest = this.#keep(rest, frameStream.lengthBytes + length - this.#partialBytes);
      if (this.#partialBytes < frameStream.lengthBytes + length) return true;
      this.#partialBytes = 0;
      this.#deliver(this.#partial.subarray(frameStream.lengthBytes, frameStream.lengthBytes + length));
    }
    return true;
  }

  #deliver(frame: Frame): void {
    if (frame.length >= ethernet.headerBytes) this.#frame(frame);
  }

  /** Keeps at most `count` bytes. @returns what is left */
  #keep(bytes: Uint8Array, count: number): Uint8Array {
    const kept = bytes.subarray(0, count);
    this.#partial.set(kept, this.#partialBytes);
    this.#partialBytes += kept.length;
    return bytes.subarray(kept.length);
  }
}

/** The frame that `bytes` begins with, if all of it is there and nothing of it came before. */
function wholeFrame(bytes: Uint8Array, before: number): Frame | undefined {
  if (before > 0 || bytes.length < frameStream.lengthBytes) return undefined;
  const length = read32(bytes, 0);
  const end = frameStream.lengthBytes + length;
  return length > frameStream.maxFrameBytes || end > bytes.length
    ? undefined
    : bytes.subarray(frameStream.lengthBytes, end);
}

/** Appends `frame` with its length to `target` at `at`. @returns where it ends */
export function encodeFrame(frame: Frame, target: Uint8Array, at: number): number {
  write32(target, at, frame.length);
  target.set(frame, at + frameStream.lengthBytes);
  return at + frameStream.lengthBytes + frame.length;
}
