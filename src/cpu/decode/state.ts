/** The cursor over an instruction's bytes, and what they say so far: after `decodeInto`, the decoded instruction. */
import { noRegister } from './instruction.ts';
import type { Candidate } from './lookup.ts';

/** No instruction is longer (SDM Vol. 2A 2.3.11). */
export const maxInstructionLength = 15;

export class DecodeState {
  bytes: Uint8Array;
  start = 0;
  /** First index that may not be read: the bytes' end or the 15-byte limit. */
  end = 0;
  position = 0;
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

  /** The row's; undefined until one is found. */
  candidate: Candidate | undefined = undefined;
  operandSize: 16 | 32 | 64 = 32;
  addressSize: 16 | 32 | 64 = 32;
  /** The immediate, sign-extended, in two halves of 32 bits; where `isOffset`, the address of a moffs instead. */
  low = 0;
  high = 0;
  isOffset = false;
  immediate2 = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Begins an instruction at `start`; no byte at or beyond `limit` is read. */
  begin(bytes: Uint8Array, start: number, limit: number): void {
    this.bytes = bytes;
    this.start = start;
    this.position = start;
    const longest = start + maxInstructionLength;
    this.end = limit < longest ? limit : longest;
    this.failed = false;
    this.lock = false;
    this.operandOverride = false;
    this.addressOverride = false;
    this.repeat = 0;
    this.segmentOverride = -1;
    this.rex = 0;
    this.vexPrefix = 0;
    this.vvvv = 0;
    this.vexL = 0;
    this.reg = 0;
    this.rm = 0;
    this.registerForm = false;
    this.base = noRegister;
    this.index = noRegister;
    this.scale = 0;
    this.displacement = 0;
    this.stackSegment = false;
    this.candidate = undefined;
    this.low = 0;
    this.high = 0;
    this.isOffset = false;
    this.immediate2 = 0;
  }

  /** Bytes of the instruction. */
  get length(): number {
    return this.position - this.start;
  }

  /** Takes a signed number of up to 32 bits as the immediate. */
  setImmediate(value: number): void {
    this.low = value;
    this.high = value >> 31;
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
