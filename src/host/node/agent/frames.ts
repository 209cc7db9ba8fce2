/**
 * What travels between `corbel` and the agent in a guest: frames of type[1] length[4, big-endian] payload. The head of
 * `guest/corbel-agent.pl` says which there are.
 */
export const agentVersion = 1;
/** The vsock port that the agent listens on; `guest/corbel-agent.socket` has it too. */
export const agentPort = 1024;
/** How many bytes of a stream may be under way that nobody has taken yet. */
export const streamWindowBytes = 262_144;
const longestFrameBytes = 1_048_576;
/** Bytes of a stream in one frame. */
export const pieceBytes = 65_536;

/** From the host. */
export const requestFrame = {
  execute: 'E',
  put: 'P',
  get: 'G',
  input: 'I',
  window: 'W',
  signal: 'K',
  credit: 'C',
} as const;
/** From the guest. */
export const replyFrame = {
  started: 'S',
  failed: 'F',
  output: 'O',
  errors: 'R',
  ended: 'X',
  credit: 'C',
} as const;

export interface Frame {
  readonly type: string;
  readonly payload: Uint8Array;
}

const headerBytes = 5;

export function encodeFrame(type: string, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const frame = Buffer.alloc(headerBytes + payload.length);
  frame.write(type, 'latin1');
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, headerBytes);
  return frame;
}

/** Strings as UTF-8, each with its length[4] before it. */
export function encodeList(words: readonly string[]): Uint8Array {
  return Buffer.concat(
    words.flatMap((word) => {
      const bytes = Buffer.from(word);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** @returns undefined for what is no list */
export function decodeList(payload: Uint8Array): string[] | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const words: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) return undefined;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return undefined;
    words.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  return words;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);
  /** Set when a frame was longer than there may be; no more come then. */
  broken = false;

  push(bytes: Uint8Array): Frame[] {
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#bytes, bytes]);
    const frames: Frame[] = [];
    while (!this.broken && this.#bytes.length >= headerBytes) {
      const length = this.#bytes.readUInt32BE(1);
      this.broken = length > longestFrameBytes;
      if (this.broken || this.#bytes.length < headerBytes + length) break;
      const payload = this.#bytes.subarray(headerBytes, headerBytes + length);
      frames.push({ type: this.#bytes.toString('latin1', 0, 1), payload });
      this.#bytes = this.#bytes.subarray(headerBytes + length);
    }
    return frames;
  }
}
