import assert from 'node:assert/strict';
import { test } from 'node:test';
import { program } from './testing/machine.ts';
import { flagBit, resultFlags } from './testing/reference.ts';

const arithmetic = flagBit.cf | flagBit.af;
const result = flagBit.zf | flagBit.sf | flagBit.pf;
const legacy = { long: false } as const;

/** DAA and DAS as the SDM's pseudo-code has them. */
function decimal(al: number, flags: number, sign: 1 | -1): { al: number; flags: number } {
  let now = al;
  let cf = 0;
  let af = 0;
  const oldCf = flags & flagBit.cf;
  if ((al & 15) > 9 || (flags & flagBit.af) !== 0) {
    cf = oldCf | (now + sign * 6 > 0xff || now + sign * 6 < 0 ? 1 : 0);
    now = (now + sign * 6) & 0xff;
    af = flagBit.af;
  }
  if (al > 0x99 || oldCf !== 0) {
    now = (now + sign * 0x60) & 0xff;
    cf = 1;
  } else if (sign === 1) {
    cf = 0;
  }
  return { al: now, flags: cf | af | resultFlags(BigInt(now), 8) };
}

for (const [mnemonic, sign] of [
  ['DAA', 1],
  ['DAS', -1],
] as const) {
  test(`${mnemonic}: every AL, CF and AF`, () => {
    const run = program(mnemonic, '', legacy);
    for (let al = 0; al < 256; al++) {
      for (const flags of [0, flagBit.cf, flagBit.af, arithmetic]) {
        const end = run({ rax: BigInt(0x1234_5600 | al), flags });
        const expected = decimal(al, flags, sign);
        assert.equal(end.rax, BigInt(0x1234_5600 | expected.al), `${al} ${flags}`);
        assert.equal(end.flags & (arithmetic | result), expected.flags, `${al} ${flags}`);
      }
    }
  });
}

for (const [mnemonic, sign] of [
  ['AAA', 1],
  ['AAS', -1],
] as const) {
  test(`${mnemonic}: every AL and AF`, () => {
    const run = program(mnemonic, '', legacy);
    for (let al = 0; al < 256; al++) {
      for (const flags of [0, flagBit.cf, flagBit.af, arithmetic]) {
        const adjust = (al & 15) > 9 || (flags & flagBit.af) !== 0;
        const ax = 0x4500 | al;
        const expected = (adjust ? ax + sign * 0x106 : ax) & 0xff0f;
        const end = run({ rax: BigInt(0x7777_0000 | ax), flags });
        assert.equal(end.rax, BigInt(0x7777_0000 | expected), `${al} ${flags}`);
        assert.equal(end.flags & arithmetic, adjust ? arithmetic : 0);
      }
    }
  });
}

test('AAM divides AL by its immediate, #DE for 0', () => {
  const run = program('AAM', 'Ib', legacy);
  for (let al = 0; al < 256; al++) {
    for (const base of [1, 7, 10, 16, 255]) {
      const end = run({ rax: BigInt(0xaa00 | al), immediate: BigInt(base) });
      assert.equal(end.rax, BigInt((Math.floor(al / base) << 8) | (al % base)));
      assert.equal(end.flags & result, resultFlags(BigInt(al % base), 8));
    }
  }
  const end = run({ rax: 0x1234n, immediate: 0n, flags: flagBit.sf });
  assert.deepEqual([end.outcome, end.rax, end.flags], [0, 0x1234n, flagBit.sf]);
});

test('AAD multiplies AH by its immediate', () => {
  const run = program('AAD', 'Ib', legacy);
  for (let ax = 0; ax < 0x10000; ax += 37) {
    const al = ((ax & 0xff) + (ax >> 8) * 10) & 0xff;
    const end = run({ rax: BigInt(ax), immediate: 10n });
    assert.equal(end.rax, BigInt(al));
    assert.equal(end.flags & result, resultFlags(BigInt(al), 8));
  }
});
