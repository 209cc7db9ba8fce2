/** The source operand of arithmetic and comparison, unpacked from its own format. */
import { x87Source } from '../../emit/x87-operations.ts';
import { binary32, binary64, extended, type F80 } from '../../softfloat/format.ts';
import { type Unpacked, unpackInteger } from '../../softfloat/unpacked.ts';
import type { X87Unit } from './unit.ts';

/** The signed value of an integer operand. */
export function integerSource(u: X87Unit): bigint {
  const width = u.source === x87Source.int16 ? 16 : u.source === x87Source.int32 ? 32 : 64;
  return BigInt.asIntN(width, u.bits);
}

/** An m80 operand. */
export function extendedSource(u: X87Unit): F80 {
  return { significand: u.bits, signExponent: u.cpu.state.scratch32(3) & 0xffff };
}

/** `register`: which ST(i) is the source, if it is one. */
export function unpackSource(u: X87Unit, register: number): Unpacked {
  switch (u.source) {
    case x87Source.register:
      return extended.unpack(u.get(register));
    case x87Source.single:
      return binary32.unpack(Number(u.bits & 0xffff_ffffn));
    case x87Source.double:
      return binary64.unpack(u.bits);
    default:
      return unpackInteger(integerSource(u));
  }
}
