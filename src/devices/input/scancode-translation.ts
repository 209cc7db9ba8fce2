/** The controller's translation from scan code set 2 to set 1, byte by byte. */
import { scancode, set2ToSet1 } from '../../spec/pc/i8042.ts';

/** Codes beyond the table (acknowledgements, prefixes) pass unchanged. */
const translateCode = (code: number): number => set2ToSet1[code] ?? code;

export class ScancodeTranslation {
  /** A break prefix has come and waits for its code. */
  breakPending = false;

  /** @returns the set 1 byte, or -1 when `byte` was a break prefix, which becomes bit 7 of the next one. */
  next(byte: number): number {
    if (byte === scancode.breakPrefix) {
      this.breakPending = true;
      return -1;
    }
    const bit = this.breakPending ? scancode.breakBit : 0;
    this.breakPending = false;
    return translateCode(byte) | bit;
  }
}
