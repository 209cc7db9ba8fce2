/** Zero bytes: to write, and to look for. */

const pieceBytes = 2 ** 20;
const zeroPiece = new Uint8Array(pieceBytes);

/** Cuts `length` zero bytes into pieces of a bounded size. Nobody may write to them. */
export function* zeroPieces(length: number): Iterable<{ readonly offset: number; readonly bytes: Uint8Array }> {
  for (let offset = 0; offset < length; offset += pieceBytes) {
    yield { offset, bytes: zeroPiece.subarray(0, Math.min(pieceBytes, length - offset)) };
  }
}

/** Whether there is nothing but zeroes in `bytes`. */
export function isZero(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return isZeroByByte(bytes, 0, bytes.length);
  const lead = -bytes.byteOffset & 3;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + lead, (bytes.length - lead) >>> 2);
  return (
    isZeroByByte(bytes, 0, lead) && isZeroByWord(words) && isZeroByByte(bytes, lead + words.byteLength, bytes.length)
  );
}

function isZeroByByte(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

function isZeroByWord(words: Uint32Array): boolean {
  const rest = words.length & 7;
  for (let i = 0; i < rest; i++) if (words[i] !== 0) return false;
  // Eight at a time: one branch for all of them.
  for (let i = rest; i < words.length; i += 8) {
    const first = word(words, i) | word(words, i + 1) | word(words, i + 2) | word(words, i + 3);
    if ((first | word(words, i + 4) | word(words, i + 5) | word(words, i + 6) | word(words, i + 7)) !== 0) return false;
  }
  return true;
}

function word(words: Uint32Array, index: number): number {
  return words[index] as number;
}
