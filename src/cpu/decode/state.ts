/** The cursor over an instruction's bytes and what has been learnt so far; lives for one `decode`. */
import { noRegister } from './instruction.ts';

/** No instruction is longer (SDM Vol. 2A 2.3.11). */
export const maxInstructionLength = 15;

export class DecodeState {
  readonly bytes: Uint8Array;
  readonly start: number;
  /** First index that may not be read: the bytes' end or the 15-byte limit. */
  readonly end: number;
  position: number;
  /** A read went past `end`; it returned 0. */
  failed = false;

  lock = false;
  operandOverride = false;
  addressOverride = false;
  /** 0, 0xf2 or 0xf3: the last one present. */
  repeat: 0 | 0xf2 | 0xf3 = 0;
  segmentOverride = -1;
  /** REX byte (as from VEX too), 0 for none. */
  rex = 0;
  /** VEX.pp as a `prefixKey`. */
  vexPrefix = 0;
  vvvv = 0;
  vexL = 0;

  reg = 0;
  rm = 0;
  registerForm = false;
  base = noRegister;
  index = noRegister;
  scale: 0 | 1 | 2 | 3 = 0;
  displacement = 0;
  /** Segment 2 (SS) when the base register is rSP or rBP. */
  stackSegment = false;

  constructor(bytes: Uint8Array, start: number, limit: number) {
    this.bytes = bytes;
    this.start = start;
    this.position = start;
    const longest = start + maxInstructionLength;
    this.end = limit < longest ? limit : longest;
  }

  /** The byte under the cursor, without moving; 0 past the end. */
  peek(): number {
    if (this.position >= this.end) {
      this.failed = true;
      return 0;
    }
    return this.bytes[this.position] as number;
  }

  u8(): number {
    const value = this.peek();
    this.position++;
    return value;
  }

  s8(): number {
    return (this.u8() << 24) >> 24;
  }

  u16(): number {
    const low = this.u8();
    return low | (this.u8() << 8);
  }

  s16(): number {
    return (this.u16() << 16) >> 16;
  }

  s32(): number {
    const low = this.u16();
    return low | (this.u16() << 16);
  }
}
