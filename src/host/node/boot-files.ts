/** The files that a machine starts from: in buffers, or read by the machine's thread into the guest's memory. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { BootFile, BootSource } from '../../machine/config.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { unreadable } from './input-file.ts';

/** What of them is in memory already; a file that was given twice is one buffer. */
export function buffersOf(boot: BootSource): readonly ArrayBuffer[] {
  const data = boot.kind === 'firmware' ? [boot.image] : [boot.kernel, boot.initrd, ...boot.modules.map((m) => m.data)];
  const bytes = data.filter((each) => each instanceof Uint8Array);
  return [...new Set(bytes.map(({ buffer }) => buffer as ArrayBuffer))];
}

/** A read of Linux moves somewhat less than 2 GB at most. */
const largestRead = 0x4000_0000;

/** Fills `into`, which may be memory that threads share, with a file that was found when the machine was described. */
export function readBootFile({ role, path, length }: BootFile, into: Uint8Array): Result<void> {
  const changed = (): Result<never> => fail('input', `the ${role} ${path} changed while the guest was being started.`);
  try {
    // A pipe that has taken its place would wait for a writer.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (fstatSync(file).size !== length) return changed();
      for (let done = 0; done < length; ) {
        const count = readSync(file, into, done, Math.min(length - done, largestRead), done);
        if (count === 0) return changed();
        done += count;
      }
      return ok(undefined);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return unreadable(role, path, error);
  }
}
