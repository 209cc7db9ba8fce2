/** Data movement between registers and memory, sign and zero extension, conditional moves. SDM Vol. 2. */
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import { bitsOf } from '../emit/form.ts';
import { type Ops, rax, rbx, rdx, type Semantics } from '../emit/ops.ts';
import { operandAt, readSource } from './operands.ts';

/** MOV of general registers, immediates, memory offsets; MOVNTI. */
function mov(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  o.write(destination, readSource(o, operandAt(x, 1), destination.bits));
}

/** MOV from a segment register: 16 bits to memory, zero-extended to a register. */
function movFromSegment(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const selector = o.read(operandAt(x, 1));
  o.write(destination, o.resizeU(selector, 16, destination.bits));
}

function movzx(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = operandAt(x, 1);
  o.write(destination, o.resizeU(o.read(source), source.bits, destination.bits));
}

/** MOVSX and MOVSXD; the latter with 16-bit operands is a plain MOV. */
function movsx(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = operandAt(x, 1);
  o.write(destination, o.resizeS(o.read(source), source.bits, destination.bits));
}

function lea(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  o.write(destination, o.resizeU(o.effectiveAddress(operandAt(x, 1)), 64, destination.bits));
}

/** CMOVcc: the source is read and a 32-bit destination zero-extended whatever the condition. */
function cmovcc(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = o.read(operandAt(x, 1));
  const old = o.read(destination);
  o.write(destination, o.select(o.condition(x.row.opcode & 15), source, old));
}

function setcc(o: Ops, x: Form): void {
  o.write(operandAt(x, 0), o.let(o.ne(o.condition(x.row.opcode & 15), 0)));
}

/** CBW, CWDE, CDQE: the lower half of the accumulator, sign-extended. */
function cbw(o: Ops, x: Form): void {
  const half = x.operandSize / 2;
  o.setGpr(rax, x.operandSize, o.resizeS(o.gpr(rax, half), half, x.operandSize));
}

/** CWD, CDQ, CQO: rDX becomes the sign of rAX. */
function cwd(o: Ops, x: Form): void {
  const bits = x.operandSize;
  const accumulator = o.gpr(rax, bits);
  o.setGpr(rdx, bits, o.shrS(o.signExtend(accumulator, bits), bits - 1));
}

/** Reverses the bytes of a bound operand. */
function swapBytes(o: Ops, value: Value, bits: number): Value {
  if (bits === 16) return o.zeroExtend(o.or(o.shrU(value, 8), o.shl(value, 8)), 16);
  const swap32 = (word: Value): Value =>
    o.or(o.and(o.rotl(word, 8), 0x00ff_00ff), o.and(o.rotr(word, 8), 0xff00_ff00 | 0));
  if (bits === 32) return swap32(value);
  const low = o.let(o.wrap(value));
  const high = o.let(o.wrap(o.shrU(value, 32)));
  return o.or(o.shl(o.extendU(swap32(low)), 32), o.extendU(swap32(high)));
}

/** BSWAP; of a 16-bit register, which the SDM leaves undefined, processors make 0. */
function bswap(o: Ops, x: Form): void {
  const operand = operandAt(x, 0);
  const bits = bitsOf(operand);
  o.write(operand, bits === 16 ? o.i32(0) : o.let(swapBytes(o, o.read(operand), bits)));
}

function movbe(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  o.write(destination, o.let(swapBytes(o, o.read(operandAt(x, 1)), bitsOf(destination))));
}

/** XLAT: AL = [DS:rBX + AL], in the overridable segment. */
function xlat(o: Ops, x: Form): void {
  const base = o.gpr(rbx, 64);
  const offset = o.let(o.zeroExtend(o.add(base, o.extendU(o.gpr(rax, 8))), x.addressSize));
  o.setGpr(rax, 8, o.loadMemory(o.linearOf(offset, 1, 'read'), 1));
}

export const move = {
  mov,
  'mov-from-segment': movFromSegment,
  movzx,
  movsx,
  lea,
  cmovcc,
  setcc,
  cbw,
  cwd,
  bswap,
  movbe,
  xlat,
  nop: () => {},
} as const satisfies Record<string, Semantics>;
