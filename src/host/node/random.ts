/**
 * Random numbers of the operating system, fit for keys. `node:crypto` has them, too, but takes 6 ms to load, at each
 * start and in each thread.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** random(4): never waits once the system is up, and never ends. */
const device = '/dev/urandom';
/** How many are asked for at once where they are wanted one by one. */
const wordsAtOnce = 64;

/** @throws where there is no such device */
export function fillRandom(into: Uint8Array): void {
  const file = openSync(device, 'r');
  try {
    for (let at = 0; at < into.length; ) at += readSync(file, into, at, into.length - at, null);
  } finally {
    closeSync(file);
  }
}

export function randomBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  fillRandom(bytes);
  return bytes;
}

/** @param below up to 2^32, of which 2^64 need not be a multiple: the error is beyond notice; @returns from 0 on */
export function randomInt(below: number): number {
  return Number(randomBytes(8).readBigUInt64LE() % BigInt(below));
}

/** @returns a source of 64-bit numbers */
export function randomWords(): () => bigint {
  const words = new BigUint64Array(wordsAtOnce);
  let used = words.length;
  return () => {
    if (used === words.length) {
      fillRandom(new Uint8Array(words.buffer));
      used = 0;
    }
    const word = words[used] as bigint;
    words[used++] = 0n; // Nobody else shall learn of it.
    return word;
  };
}
