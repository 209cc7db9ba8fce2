import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type End, program, type Start } from './testing/machine.ts';
import { cut, flagBit, merged, Operands, signed, type Width, widths } from './testing/reference.ts';

const sizeOf = (bits: Width): 16 | 32 | 64 => (bits === 8 ? 32 : bits);
const divideError = 0;

/** rDX:rAX (AX for bytes) as a number. */
const wideValue = (state: Start | End, bits: number): bigint => {
  const rax = state.rax ?? 0n;
  if (bits === 8) return cut(rax, 16);
  return (cut(state.rdx ?? 0n, bits) << BigInt(bits)) | cut(rax, bits);
};

for (const mnemonic of ['MUL', 'IMUL'] as const) {
  test(`${mnemonic} of one operand: the whole product; CF and OF tell whether the upper half counts`, () => {
    const operands = new Operands();
    const number = mnemonic === 'MUL' ? cut : signed;
    for (const bits of widths) {
      const run = program(mnemonic, bits === 8 ? 'Eb' : 'Ev', { operandSize: sizeOf(bits) });
      for (let i = 0; i < 400; i++) {
        const start = { rax: operands.register(bits), rdx: operands.register(bits), rbx: operands.register(bits) };
        const product = number(start.rax, bits) * number(start.rbx, bits);
        const end = run(start);
        assert.equal(wideValue(end, bits), cut(product, 2 * bits));
        assert.equal(end.rax, merged(start.rax, bits === 8 ? cut(product, 16) : product, bits === 8 ? 16 : bits));
        const expected = number(product, bits) === product ? 0 : flagBit.cf | flagBit.of;
        assert.equal(end.flags & (flagBit.cf | flagBit.of), expected);
      }
    }
  });
}

test('IMUL of two and three operands cuts the product', () => {
  const operands = new Operands();
  for (const bits of [16, 32, 64] as const) {
    const two = program('IMUL', 'Gv,Ev', { operandSize: bits });
    const three = program('IMUL', 'Gv,Ev,Ibs', { operandSize: bits });
    for (let i = 0; i < 300; i++) {
      const start = {
        rsi: operands.register(bits),
        rbx: operands.register(bits),
        immediate: signed(operands.bits(8), 8),
      };
      for (const [end, factor] of [
        [two(start), signed(start.rsi, bits)],
        [three(start), start.immediate],
      ] as const) {
        const product = signed(start.rbx, bits) * factor;
        assert.equal(end.rsi, merged(start.rsi, product, bits));
        const expected = signed(product, bits) === product ? 0 : flagBit.cf | flagBit.of;
        assert.equal(end.flags & (flagBit.cf | flagBit.of), expected);
      }
    }
  }
});

for (const mnemonic of ['DIV', 'IDIV'] as const) {
  test(`${mnemonic}: quotient, remainder, #DE on overflow and zero, flags kept`, () => {
    const operands = new Operands();
    const number = mnemonic === 'DIV' ? cut : signed;
    let faults = 0;
    for (const bits of widths) {
      const run = program(mnemonic, bits === 8 ? 'Eb' : 'Ev', { operandSize: sizeOf(bits) });
      for (let i = 0; i < 2500; i++) {
        const start = divisionOperands(operands, bits, number);
        const dividend = number(wideValue(start, bits), 2 * bits);
        const divisor = number(start.rbx, bits);
        const end = run(start);
        assert.equal(end.flags, start.flags);
        if (divisor === 0n || number(dividend / divisor, bits) !== dividend / divisor) {
          faults++;
          assert.equal(end.outcome, divideError, `${bits}: ${dividend} / ${divisor}`);
          assert.equal(end.rax, start.rax);
          assert.equal(end.rdx, start.rdx);
          continue;
        }
        assert.equal(end.outcome, 'next', `${bits}: ${dividend} / ${divisor}`);
        const quotient = cut(dividend / divisor, bits);
        const remainder = cut(dividend % divisor, bits);
        const place = `${bits}: ${dividend} / ${divisor}`;
        if (bits === 8) {
          assert.equal(end.rax, merged(start.rax, (remainder << 8n) | quotient, 16), place);
        } else {
          assert.equal(end.rax, merged(start.rax, quotient, bits), place);
          assert.equal(end.rdx, merged(start.rdx, remainder, bits), place);
        }
      }
    }
    assert.ok(faults > 100);
  });
}

/** Half the time any operands, otherwise a dividend made so that the quotient fits, or nearly does. */
function divisionOperands(
  operands: Operands,
  bits: Width,
  number: (value: bigint, bits: number) => bigint,
): { rax: bigint; rdx: bigint; rbx: bigint; flags: number } {
  const rbx = operands.register(bits);
  const flags = operands.flags();
  if (operands.number(2) === 0) return { rax: operands.register(bits), rdx: operands.register(bits), rbx, flags };
  const divisor = number(rbx, bits);
  const remainder = divisor === 0n ? 0n : operands.bits(bits) % divisor;
  const edge = BigInt(operands.number(3)) - 1n;
  const dividend = cut(divisor * number(operands.operand(bits), bits) + remainder * edge, 2 * bits);
  const upper = dividend >> BigInt(bits);
  return bits === 8
    ? { rax: dividend, rdx: 0n, rbx, flags }
    : { rax: cut(dividend, bits), rdx: cut(upper, bits), rbx, flags };
}

test('IDIV of the most negative number by -1 is #DE at every width', () => {
  for (const bits of widths) {
    const run = program('IDIV', bits === 8 ? 'Eb' : 'Ev', { operandSize: sizeOf(bits) });
    const half = 1n << BigInt(bits - 1);
    const start = bits === 8 ? { rax: 0xff80n } : { rax: half, rdx: cut(-1n, bits) };
    assert.equal(run({ ...start, rbx: cut(-1n, bits) }).outcome, divideError);
    const lowest = bits === 8 ? { rax: 0x8000n } : { rax: 0n, rdx: half };
    assert.equal(run({ ...lowest, rbx: cut(-1n, bits) }).outcome, divideError);
  }
});
