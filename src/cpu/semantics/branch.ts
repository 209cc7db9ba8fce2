/** Near control transfers, BOUND and the undefined instructions. Targets are checked before anything is written. SDM Vol. 2. */
import { vector } from '../../spec/x86/exceptions.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import { bitsOf } from '../emit/form.ts';
import { type Ops, rcx, type Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';

function jcc(o: Ops, x: Form): void {
  o.if(o.condition(x.row.opcode & 15), () => o.jumpRelative(operandAt(x, 0)));
}

function jmp(o: Ops, x: Form): void {
  o.jumpRelative(operandAt(x, 0));
}

function jmpIndirect(o: Ops, x: Form): void {
  const target = operandAt(x, 0);
  o.jump(o.checkedTarget(o.read(target), target.bits));
}

/**
 * Raises #GP(0) for a relative target outside the code segment, before the instruction changes anything; `before` faults
 * first.
 */
function checkRelativeTarget(o: Ops, x: Form, before?: () => void): void {
  if (o.flat) return;
  const distance = o.extendS(o.immediate(operandAt(x, 0), 32));
  const target = o.zeroExtend(o.add(o.nextIp(), distance), x.operandSize);
  o.checkedTarget(target, x.operandSize, before);
}

const pushReturnAddress = (o: Ops, x: Form): void =>
  o.push(o.let(o.resizeU(o.nextIp(), 64, x.operandSize)), x.operandSize);

function call(o: Ops, x: Form): void {
  checkRelativeTarget(o, x, () => o.probePush(x.operandSize));
  pushReturnAddress(o, x);
  o.jumpRelative(operandAt(x, 0));
}

function callIndirect(o: Ops, x: Form): void {
  const operand = operandAt(x, 0);
  const target = o.checkedTarget(o.read(operand), operand.bits, () => o.probePush(x.operandSize));
  pushReturnAddress(o, x);
  o.jump(target);
}

/** RET, RET imm16. */
function ret(o: Ops, x: Form): void {
  const bits = x.operandSize;
  const target = o.checkedTarget(o.peek(bits), bits);
  const released = x.operands[0];
  const bytes = o.i64(bits / 8);
  o.adjustStack(released === undefined ? bytes : o.add(bytes, o.extendU(o.immediate(released, 16))));
  o.jump(target);
}

/** LOOP, LOOPE, LOOPNE: counts rCX of the address size down and jumps until it is 0, or ZF says to stop. */
const loop =
  (goOn: (o: Ops) => Value | undefined): Semantics =>
  (o, x) => {
    const bits = x.addressSize;
    const count = o.let(o.sub(o.gpr(rcx, bits), 1));
    const left = o.ne(o.zeroExtend(count, bits), 0);
    const condition = goOn(o);
    o.if(
      condition === undefined ? left : o.and(left, condition),
      () => {
        checkRelativeTarget(o, x);
        o.setGpr(rcx, bits, count);
        o.jumpRelative(operandAt(x, 0));
      },
      () => o.setGpr(rcx, bits, count),
    );
  };

/** JCXZ, JECXZ, JRCXZ, by address size. */
function jcxz(o: Ops, x: Form): void {
  o.if(o.isZero(o.gpr(rcx, x.addressSize)), () => o.jumpRelative(operandAt(x, 0)));
}

/** BOUND: #BR unless lower ≤ index ≤ upper, all signed. */
function bound(o: Ops, x: Form): void {
  const operand = operandAt(x, 0);
  const bits = bitsOf(operand);
  const pair = operandAt(x, 1);
  const index = o.let(o.signExtend(o.read(operand), bits));
  const lower = o.read(o.part(pair, 0, bits));
  const upper = o.read(o.part(pair, bits / 8, bits));
  const outside = o.or(o.ltS(index, o.signExtend(lower, bits)), o.gtS(index, o.signExtend(upper, bits)));
  o.ifUnlikely(outside, () => o.raise(vector.br));
}

export const branch = {
  jcc,
  jmp,
  'jmp-indirect': jmpIndirect,
  call,
  'call-indirect': callIndirect,
  ret,
  loop: loop(() => undefined),
  loope: loop((o) => o.zf()),
  loopne: loop((o) => o.isZero(o.zf())),
  jcxz,
  bound,
  ud: (o) => o.raise(vector.ud),
} as const satisfies Record<string, Semantics>;
