/**
 * The protocol between the linux guest's scripts and this process, over the guest's second serial port.
 *
 * Guest to host, one frame after another: a line of a letter and an optional number, and for O and E that many bytes.
 *   R       the session is up          W n  wants up to n bytes of standard input
 *   O n …   n bytes of output          B    is going down on request (a reset that follows is no accident)
 *   E n …   n bytes of error output    X s  the command ended with status s
 * Host to guest: for each W a line with a number and that many bytes, 0 at the end of the input; in an interactive
 * session lines "rows columns" whenever the window changes, and "off" when the guest is to power off.
 */

export type ChannelEvent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'going-down' }
  | { readonly kind: 'wants'; readonly bytes: number }
  | { readonly kind: 'output'; readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'malformed'; readonly line: string };

const newline = 0x0a;
const maxLine = 32;
const maxPayload = 1 << 20;
const linePattern = /^([RB]|[OEWX] (\d{1,10}))$/;

/** Takes the channel's bytes as they come; everything after a malformed frame is ignored. */
export class ChannelDecoder {
  #line: number[] = [];
  #stream: 'stdout' | 'stderr' = 'stdout';
  #payloadLeft = 0;
  #broken = false;

  push(bytes: Uint8Array): ChannelEvent[] {
    const events: ChannelEvent[] = [];
    let at = 0;
    while (at < bytes.length && !this.#broken) {
      if (this.#payloadLeft > 0) {
        const piece = bytes.slice(at, at + this.#payloadLeft);
        events.push({ kind: 'output', stream: this.#stream, bytes: piece });
        this.#payloadLeft -= piece.length;
        at += piece.length;
        continue;
      }
      const byte = bytes[at++] as number;
      if (byte !== newline && this.#line.length < maxLine) {
        this.#line.push(byte);
        continue;
      }
      const line = String.fromCharCode(...this.#line);
      this.#line = [];
      const event = this.#frame(line);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** The event of a header line; none for the header of a payload, which is then expected. */
  #frame(line: string): ChannelEvent | undefined {
    const match = linePattern.exec(line);
    const value = Number(match?.[2] ?? 0);
    switch (match?.[0][0]) {
      case 'R':
        return { kind: 'ready' };
      case 'B':
        return { kind: 'going-down' };
      case 'W':
        return { kind: 'wants', bytes: value };
      case 'X':
        if (value <= 255) return { kind: 'status', status: value };
        break;
      case 'O':
      case 'E':
        if (value > maxPayload) break;
        this.#stream = line[0] === 'O' ? 'stdout' : 'stderr';
        this.#payloadLeft = value;
        return undefined;
    }
    this.#broken = true;
    return { kind: 'malformed', line };
  }
}

/** The answer to a W frame; no bytes mean the end of the input. */
export function encodeInput(bytes: Uint8Array): Uint8Array {
  const header = new TextEncoder().encode(`${bytes.length}\n`);
  const message = new Uint8Array(header.length + bytes.length);
  message.set(header);
  message.set(bytes, header.length);
  return message;
}

export function encodeWindowSize(rows: number, columns: number): Uint8Array {
  return new TextEncoder().encode(`${rows} ${columns}\n`);
}

export function encodePowerOff(): Uint8Array {
  return new TextEncoder().encode('off\n');
}
