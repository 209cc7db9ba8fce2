/** XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B. SDM Vol. 2. */
import { vector } from '../../spec/x86/exceptions.ts';
import type { Value } from '../../wasm/types.ts';
import { bitsOf, type Form, type Operand } from '../emit/form.ts';
import { type Ops, rax, rbx, rcx, rdx, type Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';

/** XCHG; with memory it is atomic even without LOCK. */
function xchg(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = operandAt(x, 1);
  const replacement = o.read(source);
  o.write(
    source,
    o.modify(destination, () => replacement),
  );
}

/** XADD; of a register with itself, the sum stays. */
function xadd(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = operandAt(x, 1);
  const bits = bitsOf(destination);
  const addend = o.read(source);
  let old: Value;
  if (destination.kind === 'memory') {
    old = o.modify(destination, (value) => o.add(value, addend));
    o.write(source, old);
  } else {
    old = o.read(destination);
    o.write(source, old);
    o.write(destination, o.add(old, addend));
  }
  o.setFlagsAdd(bits, old, addend, o.let(o.add(old, addend)));
}

/**
 * CMPXCHG. Memory is written back even when the comparison fails; a register is left alone then, and so is the
 * accumulator when it succeeds: in neither case is the upper half of a 32-bit one cleared.
 */
function cmpxchg(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const expected = o.gpr(rax, bits);
  const replacement = o.read(operandAt(x, 1));
  const inMemory = destination.kind === 'memory';
  const old = inMemory
    ? o.modify(destination, (value) => o.select(o.eq(value, expected), replacement, value))
    : o.read(destination);
  o.setFlagsSub(bits, expected, old, o.let(o.sub(expected, old)));
  o.if(
    o.eq(old, expected),
    () => {
      if (!inMemory) o.write(destination, replacement);
    },
    () => o.setGpr(rax, bits, old),
  );
}

/** EDX:EAX or ECX:EBX as one i64. */
const pair = (o: Ops, high: number, low: number): Value =>
  o.let(o.or(o.shl(o.extendU(o.gpr(high, 32)), 32), o.extendU(o.gpr(low, 32))));

/** CMPXCHG8B: ZF is the only flag that changes. */
function cmpxchg8b(o: Ops, x: Form): void {
  const expected = pair(o, rdx, rax);
  const replacement = pair(o, rcx, rbx);
  const operand = o.part(operandAt(x, 0), 0, 64);
  const old = o.modify(operand, (value) => o.select(o.eq(value, expected), replacement, value));
  const equal = o.let(o.eq(old, expected));
  o.setFlags({ zf: equal });
  o.if(o.isZero(equal), () => {
    o.setGpr(rax, 32, o.wrap(old));
    o.setGpr(rdx, 32, o.wrap(o.shrU(old, 32)));
  });
}

/** CMPXCHG16B: the operand must be aligned, so that it lies in one page and its halves fault together. */
function cmpxchg16b(o: Ops, x: Form): void {
  const operand: Operand = operandAt(x, 0);
  const linear = o.linear(operand, 'modify');
  o.ifUnlikely(o.wrap(o.and(linear, 15)), () => o.raise(vector.gp, o.i32(0)));
  const expected = [o.gpr(rax, 64), o.gpr(rdx, 64)] as const;
  const replacement = [o.gpr(rbx, 64), o.gpr(rcx, 64)] as const;
  const old = [o.variable('i64'), o.variable('i64')] as const;
  const [low, high] = old.map((local) => o.get(local)) as [Value, Value];
  const isEqual = (): Value => o.and(o.eq(low, expected[0]), o.eq(high, expected[1]));
  const halfByHalf = (): void => {
    const highLinear = o.let(o.add(linear, 8));
    // A fault is one of the operand's first byte.
    o.probeWrite(linear, 8);
    o.set(old[0], o.loadMemory(linear, 8));
    o.set(old[1], o.loadMemory(highLinear, 8));
    const exchanged = o.let(isEqual());
    o.storeMemory(highLinear, 8, o.select(exchanged, replacement[1], high));
    o.storeMemory(linear, 8, o.select(exchanged, replacement[0], low));
  };
  if (x.locked) {
    o.exchangeWide(linear, { expected, replacement, old }, () => {
      // The others stand still meanwhile.
      o.lockBus();
      halfByHalf();
      o.unlockBus();
    });
  } else halfByHalf();
  const equal = o.let(isEqual());
  o.setFlags({ zf: equal });
  o.if(o.isZero(equal), () => {
    o.setGpr(rax, 64, low);
    o.setGpr(rdx, 64, high);
  });
}

export const exchange = { xchg, xadd, cmpxchg, cmpxchg8b, cmpxchg16b } as const satisfies Record<string, Semantics>;
