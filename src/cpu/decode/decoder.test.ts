import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decoder.ts';
import { type CodeSize, type Instruction, noRegister, ripBase, segment } from './instruction.ts';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.split(' ').map((byte) => Number.parseInt(byte, 16)));
}

function decodeHex(hex: string, codeSize: CodeSize = 64, real = false) {
  const bytes = bytesOf(hex);
  return decode(bytes, 0, bytes.length, { codeSize, real });
}

function instruction(hex: string, codeSize: CodeSize = 64, real = false): Instruction {
  const result = decodeHex(hex, codeSize, real);
  assert.equal(result.kind, 'ok', `${hex}: ${result.kind}`);
  return (result as { instruction: Instruction }).instruction;
}

function name(hex: string, codeSize: CodeSize = 64, real = false): string {
  const result = decodeHex(hex, codeSize, real);
  return result.kind === 'ok' ? result.instruction.row.mnemonic : result.kind;
}

test('a RIP-relative load', () => {
  const mov = instruction('48 8b 05 10 00 00 00');
  assert.equal(mov.row.mnemonic, 'MOV');
  assert.equal(mov.length, 7);
  assert.equal(mov.operandSize, 64);
  assert.equal(mov.base, ripBase);
  assert.equal(mov.index, noRegister);
  assert.equal(mov.displacement, 16n);
  assert.equal(mov.registerForm, false);
});

test('outside 64-bit mode the same form is an absolute address', () => {
  const mov = instruction('8b 05 f0 ff ff ff', 32);
  assert.equal(mov.base, noRegister);
  assert.equal(mov.displacement, -16n);
  assert.equal(mov.segment, segment.ds);
});

test('SIB: base, index, scale, and the REX bits of each', () => {
  const mov = instruction('4f 89 5c 8d f8');
  assert.deepEqual(
    [mov.reg, mov.base, mov.index, mov.scale, mov.displacement, mov.operandSize],
    [11, 13, 9, 2, -8n, 64],
  );
  const noIndex = instruction('8b 04 24');
  assert.deepEqual([noIndex.base, noIndex.index, noIndex.segment], [4, noRegister, segment.ss]);
  const r12Index = instruction('42 8b 04 20');
  assert.deepEqual([r12Index.base, r12Index.index], [0, 12]);
  const noBase = instruction('8b 04 25 00 10 00 00');
  assert.deepEqual([noBase.base, noBase.index, noBase.displacement], [noRegister, noRegister, 0x1000n]);
});

test('16-bit addressing forms (SDM Vol. 2A table 2-1)', () => {
  const expected: [string, number, number, bigint, number][] = [
    ['8b 00', 3, 6, 0n, segment.ds],
    ['8b 01', 3, 7, 0n, segment.ds],
    ['8b 02', 5, 6, 0n, segment.ss],
    ['8b 03', 5, 7, 0n, segment.ss],
    ['8b 04', 6, noRegister, 0n, segment.ds],
    ['8b 05', 7, noRegister, 0n, segment.ds],
    ['8b 06 34 92', noRegister, noRegister, -0x6dccn, segment.ds],
    ['8b 07', 3, noRegister, 0n, segment.ds],
    ['8b 46 fe', 5, noRegister, -2n, segment.ss],
    ['8b 87 00 80', 3, noRegister, -0x8000n, segment.ds],
  ];
  for (const [hex, base, index, displacement, defaultSegment] of expected) {
    const mov = instruction(hex, 16, true);
    assert.deepEqual(
      [mov.base, mov.index, mov.displacement, mov.segment],
      [base, index, displacement, defaultSegment],
      hex,
    );
    assert.equal(mov.length, hex.split(' ').length, hex);
  }
});

test('segment overrides: all six in legacy modes, FS and GS alone in 64-bit mode', () => {
  assert.equal(instruction('26 8b 00', 32).segment, segment.es);
  assert.equal(instruction('2e 8b 45 00', 32).segment, segment.cs);
  assert.equal(instruction('36 8b 00', 32).segment, segment.ss);
  assert.equal(instruction('3e 8b 45 00', 32).segment, segment.ds);
  assert.equal(instruction('65 8b 00').segment, segment.gs);
  assert.equal(instruction('2e 8b 45 00').segment, segment.ss);
  assert.equal(instruction('64 2e 8b 00').segment, segment.fs, 'a null prefix does not cancel FS');
  assert.equal(instruction('64 d7').segment, segment.fs, 'XLAT');
  assert.equal(instruction('2e ac', 16, true).segment, segment.cs, 'LODSB');
});

test('operand sizes: 66, REX.W, and the 64-bit defaults', () => {
  assert.equal(instruction('01 c0', 16).operandSize, 16);
  assert.equal(instruction('66 01 c0', 16).operandSize, 32);
  assert.equal(instruction('66 01 c0', 32).operandSize, 16);
  assert.equal(instruction('66 48 01 c0').operandSize, 64, 'REX.W wins over 66');
  assert.equal(instruction('50').operandSize, 64);
  assert.equal(instruction('66 50').operandSize, 16);
  assert.equal(instruction('66 c3').operandSize, 64, 'near branches are forced to 64');
  assert.equal(instruction('66 e8 00 00 00 00').length, 6);
  assert.equal(instruction('66 e8 00 00', 32).length, 4);
  assert.equal(instruction('0f 20 c0').operandSize, 64);
  assert.equal(instruction('66 0f 20 c0', 32).row.operands, 'Rd,Cd');
  assert.equal(instruction('ca 08 00').operandSize, 32, 'far RET has no 64-bit default');
  assert.equal(instruction('48 cf').operandSize, 64);
});

test('immediates are sign-extended at their own width', () => {
  assert.equal(instruction('b0 80').immediate, -128n);
  assert.equal(instruction('83 c0 ff').immediate, -1n);
  assert.equal(instruction('48 c7 c0 00 00 00 80').immediate, -0x80000000n);
  assert.equal(instruction('48 b8 ef cd ab 89 67 45 23 f1').immediate, -0xedcba9876543211n);
  assert.equal(instruction('66 b8 34 12').immediate, 0x1234n);
  assert.equal(instruction('68 00 00 00 80').length, 5);
  assert.equal(instruction('eb fe').immediate, -2n);
});

test('ENTER has two immediates, a far pointer offset and selector', () => {
  const enter = instruction('c8 20 00 03');
  assert.deepEqual([enter.immediate, enter.immediate2, enter.length], [0x20n, 3, 4]);
  const far16 = instruction('ea 34 12 00 f0', 16, true);
  assert.deepEqual([far16.immediate, far16.immediate2, far16.length], [0x1234n, 0xf000, 5]);
  const far32 = instruction('9a 78 56 34 12 08 00', 32);
  assert.deepEqual([far32.immediate, far32.immediate2, far32.length], [0x12345678n, 8, 7]);
  assert.equal(name('ea 00 00 00 00 00 00'), 'undefined');
});

test('moffs is as wide as an address and unsigned', () => {
  const mov64 = instruction('a1 00 00 00 00 00 00 00 80');
  assert.deepEqual([mov64.displacement, mov64.length, mov64.registerForm], [0x8000000000000000n, 9, false]);
  const mov32 = instruction('67 a1 00 00 00 80');
  assert.deepEqual([mov32.displacement, mov32.length], [0x80000000n, 6]);
  const mov16 = instruction('a0 ff ff', 16, true);
  assert.deepEqual([mov16.displacement, mov16.length, mov16.immediate], [0xffffn, 3, 0n]);
});

test('67 gives the other address size', () => {
  assert.equal(instruction('67 8b 00').addressSize, 32);
  assert.equal(instruction('67 8b 07', 32).base, 3);
  const mov = instruction('67 8b 04 88', 16, true);
  assert.deepEqual([mov.addressSize, mov.base, mov.index, mov.scale], [32, 0, 1, 2]);
});

test('REX counts only right before the opcode', () => {
  const ignored = instruction('48 66 01 c0');
  assert.deepEqual([ignored.operandSize, ignored.rex], [16, false]);
  const last = instruction('40 49 01 c0');
  assert.deepEqual([last.operandSize, last.rm, last.rex], [64, 8, true]);
  assert.equal(instruction('40 88 e0').rex, true);
  assert.equal(name('48', 32), 'DEC');
});

test('mandatory prefixes: F2 and F3 win over 66, the last of F2 and F3 counts', () => {
  assert.equal(name('0f 58 c1'), 'ADDPS');
  assert.equal(name('66 0f 58 c1'), 'ADDPD');
  assert.equal(name('f3 0f 58 c1'), 'ADDSS');
  assert.equal(name('f2 0f 58 c1'), 'ADDSD');
  assert.equal(name('66 f3 0f 58 c1'), 'ADDSS');
  assert.equal(name('f3 66 0f 58 c1'), 'ADDSS');
  assert.equal(name('f3 f2 0f 58 c1'), 'ADDSD');
  assert.equal(name('f3 0f 28 c1'), 'undefined', 'MOVAPS with F3');
  assert.equal(name('f3 0f bc c0'), 'TZCNT');
  assert.equal(instruction('66 f3 0f bc c0').operandSize, 16);
  assert.equal(name('f2 0f bc c0'), 'BSF');
  assert.equal(name('f2 66 0f 38 f1 c0'), 'CRC32');
  assert.equal(name('66 0f 38 f1 00'), 'MOVBE');
});

test('NOP, PAUSE and XCHG share 90', () => {
  assert.equal(name('90'), 'NOP');
  assert.equal(name('48 90'), 'NOP');
  assert.equal(name('f3 90'), 'PAUSE');
  assert.equal(name('41 90'), 'XCHG');
  assert.equal(instruction('41 90').rm, 8);
  assert.equal(instruction('49 97').rm, 15);
  assert.equal(name('f3 0f 1e fa'), 'ENDBR64');
});

test('LOCK is legal with a listed instruction and a memory destination only', () => {
  assert.equal(instruction('f0 01 00').lock, true);
  assert.equal(instruction('f0 0f c7 08').lock, true);
  assert.equal(instruction('f0 87 00').lock, true);
  for (const hex of ['f0 01 c0', 'f0 39 00', 'f0 89 00', 'f0 90', 'f0 03 00', 'f0 0f a3 00', 'f0 0f 0b']) {
    assert.equal(name(hex), 'undefined', hex);
  }
});

test('LOCK that is not allowed is found once the whole instruction is there', () => {
  assert.equal(name('f0 05 78 56 34'), 'truncated');
  assert.equal(name('f0 05 78 56 34 12'), 'undefined');
});

test('REP is reported for string instructions alone', () => {
  assert.equal(instruction('f3 a4').repeat, 0xf3);
  assert.equal(instruction('f2 ae').repeat, 0xf2);
  assert.equal(instruction('f2 f3 a5').repeat, 0xf3);
  assert.equal(instruction('f3 c3').repeat, 0);
});

test('BMI through VEX; C4 and C5 are LES and LDS where they have a memory operand', () => {
  const andn = instruction('c4 e2 f8 f2 c1');
  assert.deepEqual([andn.row.mnemonic, andn.operandSize, andn.vvvv, andn.reg, andn.rm], ['ANDN', 64, 0, 0, 1]);
  const bextr = instruction('c4 42 30 f7 c1');
  assert.deepEqual([bextr.operandSize, bextr.vvvv, bextr.reg, bextr.rm], [32, 9, 8, 9]);
  assert.equal(instruction('c4 e2 f8 f2 c1', 32).operandSize, 32, 'W is ignored outside 64-bit mode');
  assert.equal(name('c4 e2 7c f2 c1'), 'undefined', 'L = 1');
  assert.equal(name('66 c4 e2 78 f2 c1'), 'undefined', '66 before VEX');
  assert.equal(name('48 c4 e2 78 f2 c1'), 'undefined', 'REX before VEX');
  assert.equal(name('c4 e3 73 f0 c1 05'), 'undefined', 'RORX with vvvv');
  assert.equal(name('c4 e3 7b f0 c1 05'), 'RORX');
  assert.equal(name('c4 00', 32), 'LES');
  assert.equal(name('c5 00', 16, true), 'LDS');
  assert.equal(name('c4 e2 78 f2 c1', 16, true), 'undefined', 'no VEX in real mode');
  assert.equal(name('c5 f8 77'), 'undefined', 'VZEROUPPER needs AVX');
});

test('what does not exist in a mode is undefined there', () => {
  for (const hex of ['06', '27', '60', '9a 00 00 00 00 00 00', 'ce', 'd4 0a', 'd6', '82 c0 00', '62 00']) {
    assert.equal(name(hex), 'undefined', hex);
    assert.notEqual(name(hex, 32), 'undefined', hex);
  }
  for (const hex of ['0f 05', '0f 01 f8', 'f3 0f ae c0']) {
    assert.equal(name(hex, 32), 'undefined', hex);
    assert.notEqual(name(hex), 'undefined', hex);
  }
  for (const hex of ['0f 00 c0', '0f 00 d8', '63 c0', '0f 02 c0']) {
    assert.equal(name(hex, 16, true), 'undefined', hex);
    assert.notEqual(name(hex, 16), 'undefined', hex);
  }
  assert.equal(name('63 c8'), 'MOVSXD');
});

test('register and memory forms of one opcode', () => {
  assert.equal(name('0f 01 d0'), 'XGETBV');
  assert.equal(name('0f 01 10'), 'LGDT');
  assert.equal(name('0f 01 f9'), 'RDTSCP');
  assert.equal(name('0f 01 38'), 'INVLPG');
  assert.equal(name('0f 12 c1'), 'MOVHLPS');
  assert.equal(name('0f 12 01'), 'MOVLPS');
  assert.equal(name('8d c0'), 'undefined', 'LEA of a register');
  assert.equal(name('8c f0'), 'undefined', 'segment register 6');
  assert.equal(name('8e c8'), 'undefined', 'MOV CS');
  assert.equal(name('0f c7 08'), 'CMPXCHG8B');
  assert.equal(name('48 0f c7 08'), 'CMPXCHG16B');
  assert.equal(name('0f c7 c8'), 'undefined');
  assert.equal(name('d9 d0'), 'FNOP');
  assert.equal(name('d9 d1'), 'undefined');
  assert.equal(instruction('0f 20 04').length, 3, 'mod is ignored with control registers');
  assert.equal(instruction('44 0f 20 c0').reg, 8, 'CR8');
  for (const hex of ['0f 20 c8', '0f 22 e8', '44 0f 22 c8', '44 0f 21 c0']) assert.equal(name(hex), 'undefined', hex);
  assert.equal(instruction('0f 23 e0').reg, 4, 'DR4 is DR6 or #UD, by CR4.DE');
});

test('15 bytes are the limit', () => {
  assert.equal(instruction(`${'66 '.repeat(14)}90`).length, 15);
  assert.equal(name(`${'66 '.repeat(15)}90`), 'too-long');
  assert.equal(name('66 '.repeat(15).trim()), 'too-long');
  assert.equal(name(`${'2e '.repeat(5)}48 c7 84 08 00 00 00 00 01 00 00`), 'too-long');
});

test('too few bytes', () => {
  const bytes = bytesOf('48 81 84 88 00 10 00 00 78 56 34 12');
  for (let limit = 0; limit < bytes.length; limit++) {
    assert.equal(decode(bytes, 0, limit, { codeSize: 64, real: false }).kind, 'truncated', `${limit} bytes`);
  }
  assert.equal(decode(bytes, 0, bytes.length, { codeSize: 64, real: false }).kind, 'ok');
  assert.equal(name('0f 04'), 'undefined', 'known from the opcode alone');
});

test('decoding starts at the offset and leaves what is outside alone', () => {
  const bytes = bytesOf('90 90 48 89 e5 90');
  const result = decode(bytes, 2, 5, { codeSize: 64, real: false });
  assert.equal(result.kind === 'ok' && result.instruction.length, 3);
  assert.equal(decode(bytes, 2, 4, { codeSize: 64, real: false }).kind, 'truncated');
});
