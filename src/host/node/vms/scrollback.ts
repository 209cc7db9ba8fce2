/** The last of what a console has shown, for who looks at it later. */

const newline = 0x0a;
/**
 * Questions that a terminal answers on its input (device attributes, status and cursor position: CSI c and CSI n). The
 * guest got its answers when it asked. ECMA-48 8.3.24, 8.3.35.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences begin with ESC.
const questions = /\x1b\[[0-9;>=?]*[cn]/g;

export class Scrollback {
  readonly #maxBytes: number;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    while (this.#length - (this.#pieces[0]?.length ?? 0) >= this.#maxBytes) {
      this.#length -= this.#pieces.shift()?.length ?? 0;
    }
  }

  /** What to show: whole lines, where some are gone. */
  text(): Uint8Array {
    const all = Buffer.concat(this.#pieces);
    const last = all.subarray(-this.#maxBytes);
    const start = last.length < all.length ? last.indexOf(newline) + 1 : 0;
    return Buffer.from(last.toString('latin1', start).replace(questions, ''), 'latin1');
  }
}
