import assert from 'node:assert/strict';
import { test } from 'node:test';
import { program } from './testing/machine.ts';
import { cut, flagBit, merged, Operands, resultFlags, sign, signed, type Width, widths } from './testing/reference.ts';

const sizeOf = (bits: Width): 16 | 32 | 64 => (bits === 8 ? 32 : bits);

interface Shifted {
  readonly value: bigint;
  readonly cf: bigint;
  /** Defined for a count of 1. */
  readonly of: bigint;
  /** ZF, SF and PF change, too. */
  readonly setsResult: boolean;
}

/** One step of each instruction, straight from the SDM's loops. */
type Step = (value: bigint, cf: bigint, bits: number) => Omit<Shifted, 'setsResult'>;

const steps: Readonly<Record<string, Step>> = {
  SHL: (value, _cf, bits) => {
    const next = cut(value << 1n, bits);
    const cf = sign(value, bits);
    return { value: next, cf, of: sign(next, bits) ^ cf };
  },
  SHR: (value, _cf, bits) => ({ value: value >> 1n, cf: value & 1n, of: sign(value, bits) }),
  SAR: (value, _cf, bits) => ({ value: cut(signed(value, bits) >> 1n, bits), cf: value & 1n, of: 0n }),
  ROL: (value, _cf, bits) => {
    const next = cut(value << 1n, bits) | sign(value, bits);
    return { value: next, cf: next & 1n, of: sign(next, bits) ^ (next & 1n) };
  },
  ROR: (value, _cf, bits) => {
    const next = (value >> 1n) | ((value & 1n) << BigInt(bits - 1));
    return { value: next, cf: sign(next, bits), of: sign(next, bits) ^ sign(cut(next << 1n, bits), bits) };
  },
  RCL: (value, cf, bits) => {
    const next = cut(value << 1n, bits) | cf;
    return { value: next, cf: sign(value, bits), of: sign(next, bits) ^ sign(value, bits) };
  },
  RCR: (value, cf, bits) => {
    const next = (value >> 1n) | (cf << BigInt(bits - 1));
    return { value: next, cf: value & 1n, of: sign(value, bits) ^ cf };
  },
};

for (const [mnemonic, step] of Object.entries(steps)) {
  const setsResult = mnemonic.startsWith('S');
  test(`${mnemonic}: every count and width`, () => {
    const operands = new Operands();
    for (const bits of widths) {
      const run = program(mnemonic, bits === 8 ? 'Eb,CL' : 'Ev,CL', { operandSize: sizeOf(bits) });
      for (let count = 0; count < 256; count++) {
        const start = { rbx: operands.register(bits), rcx: BigInt(count), flags: operands.flags() };
        const masked = count & (bits === 64 ? 63 : 31);
        let now = { value: cut(start.rbx, bits), cf: BigInt(start.flags & 1), of: 0n };
        for (let i = 0; i < masked; i++) now = step(now.value, now.cf, bits);
        const end = run(start);
        assert.equal(end.rbx, merged(start.rbx, now.value, bits), `${bits} by ${count}`);
        if (masked === 0) {
          assert.equal(end.flags, start.flags);
          continue;
        }
        const result = setsResult ? resultFlags(now.value, bits) : start.flags & (flagBit.zf | flagBit.sf | flagBit.pf);
        const overflow = masked === 1 ? flagBit.of : 0;
        const auxiliary = setsResult ? 0 : flagBit.af;
        const mask = flagBit.cf | flagBit.zf | flagBit.sf | flagBit.pf | overflow | auxiliary;
        const expected = Number(now.cf) | result | (now.of === 1n ? flagBit.of : 0) | (start.flags & auxiliary);
        assert.equal(end.flags & mask, expected & mask, `${bits} by ${count}`);
      }
    }
  });

  test(`${mnemonic} by 1 without a count operand`, () => {
    const operands = new Operands();
    for (const bits of widths) {
      const run = program(mnemonic, bits === 8 ? 'Eb,1' : 'Ev,1', { operandSize: sizeOf(bits) });
      for (let i = 0; i < 60; i++) {
        const start = { rbx: operands.register(bits), flags: operands.flags() };
        const expected = step(cut(start.rbx, bits), BigInt(start.flags & 1), bits);
        const end = run(start);
        assert.equal(end.rbx, merged(start.rbx, expected.value, bits));
        assert.equal(end.flags & (flagBit.cf | flagBit.of), Number(expected.cf) | (Number(expected.of) << 11));
      }
    }
  });
}

for (const mnemonic of ['SHLD', 'SHRD'] as const) {
  test(`${mnemonic}: every count and width`, () => {
    const operands = new Operands();
    for (const bits of [16, 32, 64] as const) {
      const run = program(mnemonic, 'Ev,Gv,CL', { operandSize: bits });
      for (let count = 0; count < 256; count++) {
        const start = {
          rbx: operands.register(bits),
          rsi: operands.register(bits),
          rcx: BigInt(count),
          flags: operands.flags(),
        };
        const masked = BigInt(count & (bits === 64 ? 63 : 31));
        const value = cut(start.rbx, bits);
        const source = cut(start.rsi, bits);
        // As Intel's processors do it for counts above 16, and as the SDM has it for the others.
        const width = BigInt(bits);
        const triple = (value << (2n * width)) | (source << width) | value;
        const left = mnemonic === 'SHLD';
        const expected = cut(left ? (triple << masked) >> (2n * width) : triple >> masked, bits);
        const cf = left ? (triple >> (3n * width - masked)) & 1n : (triple >> (masked - 1n)) & 1n;
        const end = run(start);
        assert.equal(end.rbx, merged(start.rbx, expected, bits), `${bits} by ${count}`);
        if (masked === 0n) {
          assert.equal(end.flags, start.flags);
        } else {
          const mask = flagBit.cf | flagBit.zf | flagBit.sf | flagBit.pf | (masked === 1n ? flagBit.of : 0);
          const overflow = sign(value, bits) === sign(expected, bits) ? 0 : flagBit.of;
          assert.equal(
            end.flags & mask,
            (Number(cf) | resultFlags(expected, bits) | overflow) & mask,
            `${bits} by ${count}`,
          );
        }
      }
    }
  });
}
