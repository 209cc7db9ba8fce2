import assert from 'node:assert/strict';
import { test } from 'node:test';
import { program } from './testing/machine.ts';
import { cut, flagBit, merged, Operands, sign, signed } from './testing/reference.ts';

const bitWidths = [32, 64] as const;
const { cf, zf, sf, of } = flagBit;

const ones = (value: bigint): bigint => BigInt([...value.toString(2)].filter((digit) => digit === '1').length);

/** ZF and SF of `value`, CF as given, OF 0. */
const logicFlags = (value: bigint, bits: number, carry = false): number =>
  (value === 0n ? zf : 0) | (sign(value, bits) === 1n ? sf : 0) | (carry ? cf : 0);

test('POPCNT, LZCNT, TZCNT', () => {
  const operands = new Operands();
  for (const bits of [16, 32, 64] as const) {
    const [population, leading, trailing] = ['POPCNT', 'LZCNT', 'TZCNT'].map((name) =>
      program(name, 'Gv,Ev', { operandSize: bits }),
    );
    for (let i = 0; i < 120; i++) {
      const start = { rsi: operands.bits(64), rbx: operands.register(bits), flags: operands.flags() };
      const value = cut(start.rbx, bits);
      const digits = value.toString(2).padStart(bits, '0');
      const counted = population?.(start);
      assert.equal(counted?.rsi, merged(start.rsi, ones(value), bits));
      assert.equal(counted?.flags, value === 0n ? zf : 0);
      const zeros = { lead: digits.indexOf('1'), trail: bits - 1 - digits.lastIndexOf('1') };
      const expected = value === 0n ? { lead: bits, trail: bits } : zeros;
      for (const [end, count] of [
        [leading?.(start), expected.lead],
        [trailing?.(start), expected.trail],
      ] as const) {
        assert.equal(end?.rsi, merged(start.rsi, BigInt(count), bits));
        assert.equal((end?.flags ?? 0) & (cf | zf), (value === 0n ? cf : 0) | (count === 0 ? zf : 0));
      }
    }
  }
});

/** Destination RSI, VEX.vvvv R8, rm RBX; the third column of each says which is which. */
test('ANDN, BEXTR, BZHI and the shifts without flags', () => {
  const operands = new Operands();
  for (const bits of bitWidths) {
    const width = BigInt(bits);
    const form = { operandSize: bits } as const;
    const andn = program('ANDN', 'Gy,By,Ey', form);
    const bextr = program('BEXTR', 'Gy,Ey,By', form);
    const bzhi = program('BZHI', 'Gy,Ey,By', form);
    const shifts = ['SHLX', 'SHRX', 'SARX'].map((name) => program(name, 'Gy,Ey,By', form));
    const rorx = program('RORX', 'Gy,Ey,Ib', form);
    for (let i = 0; i < 150; i++) {
      const start = {
        rsi: operands.bits(64),
        rbx: operands.register(bits),
        r8: operands.register(bits),
        flags: operands.flags(),
      };
      const value = cut(start.rbx, bits);
      const other = cut(start.r8, bits);
      const logic = [
        { end: andn(start), result: value & cut(~other, bits), mask: cf | zf | sf | of, carry: false },
        {
          end: bextr(start),
          result: (value >> (other & 255n)) & ((1n << ((other >> 8n) & 255n)) - 1n),
          mask: cf | zf | of,
          carry: false,
        },
        {
          end: bzhi(start),
          result: value & ((1n << (other & 255n)) - 1n),
          mask: cf | zf | sf | of,
          carry: (other & 255n) >= width,
        },
      ];
      for (const { end, result, mask, carry } of logic) {
        assert.equal(end.rsi, result);
        assert.equal(end.flags & mask, logicFlags(result, bits, carry) & mask);
      }
      const count = other % width;
      const expected = [cut(value << count, bits), value >> count, cut(signed(value, bits) >> count, bits)];
      shifts.forEach((run, position) => {
        const end = run(start);
        assert.deepEqual([end.rsi, end.flags], [expected[position], start.flags]);
      });
      const amount = operands.bits(8);
      const rotation = amount % width;
      const rotated = cut((value >> rotation) | (value << (width - rotation)), bits);
      assert.equal(rorx({ ...start, immediate: signed(amount, 8) }).rsi, rotated);
    }
  }
});

test('BLSR, BLSMSK, BLSI', () => {
  const operands = new Operands();
  for (const bits of bitWidths) {
    const run = (name: string) => program(name, 'By,Ey', { operandSize: bits });
    const [blsr, blsmsk, blsi] = [run('BLSR'), run('BLSMSK'), run('BLSI')];
    for (let i = 0; i < 100; i++) {
      const start = { rbx: operands.register(bits), flags: operands.flags() };
      const value = cut(start.rbx, bits);
      const cases = [
        { end: blsr(start), result: cut((value - 1n) & value, bits), carry: value === 0n },
        { end: blsmsk(start), result: cut((value - 1n) ^ value, bits), carry: value === 0n },
        { end: blsi(start), result: cut(-value & value, bits), carry: value !== 0n },
      ];
      for (const { end, result, carry } of cases) {
        assert.equal(end.r8, result);
        assert.equal(end.flags & (cf | zf | sf | of), logicFlags(result, bits, carry));
      }
    }
  }
});

test('MULX: low half to vvvv, high half to reg, no flags', () => {
  const operands = new Operands();
  for (const bits of bitWidths) {
    const run = program('MULX', 'Gy,By,Ey', { operandSize: bits });
    for (let i = 0; i < 100; i++) {
      const start = { rdx: operands.register(bits), rbx: operands.register(bits), flags: operands.flags() };
      const product = cut(start.rdx, bits) * cut(start.rbx, bits);
      const end = run(start);
      assert.deepEqual([end.r8, end.rsi, end.flags], [cut(product, bits), product >> BigInt(bits), start.flags]);
    }
  }
});

test('PDEP and PEXT', () => {
  const operands = new Operands();
  for (const bits of bitWidths) {
    const pdep = program('PDEP', 'Gy,By,Ey', { operandSize: bits });
    const pext = program('PEXT', 'Gy,By,Ey', { operandSize: bits });
    for (let i = 0; i < 60; i++) {
      const start = { r8: operands.register(bits), rbx: operands.register(bits) };
      const source = cut(start.r8, bits);
      const mask = cut(start.rbx, bits);
      let deposited = 0n;
      let extracted = 0n;
      let position = 0n;
      for (let bit = 0n; bit < bits; bit++) {
        if (((mask >> bit) & 1n) === 0n) continue;
        deposited |= ((source >> position) & 1n) << bit;
        extracted |= ((source >> bit) & 1n) << position;
        position++;
      }
      assert.equal(pdep(start).rsi, deposited);
      assert.equal(pext(start).rsi, extracted);
    }
  }
});

test('ADCX and ADOX carry in one flag each and leave the others', () => {
  const operands = new Operands();
  for (const bits of bitWidths) {
    for (const [name, flag] of [
      ['ADCX', cf],
      ['ADOX', of],
    ] as const) {
      const run = program(name, 'Gy,Ey', { operandSize: bits });
      for (let i = 0; i < 100; i++) {
        const start = { rsi: operands.register(bits), rbx: operands.register(bits), flags: operands.flags() };
        const exact = cut(start.rsi, bits) + cut(start.rbx, bits) + ((start.flags & flag) === 0 ? 0n : 1n);
        const end = run(start);
        assert.equal(end.rsi, cut(exact, bits));
        assert.equal(end.flags, (start.flags & ~flag) | (exact >> BigInt(bits) === 0n ? 0 : flag));
      }
    }
  }
});

test('CRC32C of "123456789" is E3069283H, in pieces of every width', () => {
  const message = [...'123456789'].map((character) => character.charCodeAt(0));
  const byte = program('CRC32', 'Gy,Eb');
  let checksum = 0xffff_ffffn;
  for (const value of message) checksum = byte({ rsi: checksum, rbx: BigInt(value) }).rsi;
  assert.equal(checksum ^ 0xffff_ffffn, 0xe306_9283n);
  const eight = message.slice(0, 8).reduceRight((word, value) => (word << 8n) | BigInt(value), 0n);
  const wide = program('CRC32', 'Gy,Ev', { operandSize: 64 })({ rsi: 0xaaaa_aaaa_ffff_ffffn, rbx: eight }).rsi;
  assert.equal(byte({ rsi: wide, rbx: BigInt(message[8] ?? 0) }).rsi ^ 0xffff_ffffn, 0xe306_9283n);
  let words = 0xffff_ffffn;
  const word = program('CRC32', 'Gy,Ev', { operandSize: 16 });
  for (let i = 0n; i < 4n; i++) words = word({ rsi: words, rbx: cut(eight >> (16n * i), 16) }).rsi;
  assert.equal(words, wide);
});
