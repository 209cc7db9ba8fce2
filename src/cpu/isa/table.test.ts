import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableRow } from './row.ts';
import { instructionTable, operandsOf, semanticsNames } from './table.ts';

const modes = ['not64', 'only64'] as const;
const prefixes = ['NP', '66', 'F3', 'F2'] as const;

function describe(row: TableRow): string {
  const { map, opcode, prefix = '-', ext = '-', mod = '-', rm = '-', mnemonic, operands } = row;
  return `map ${map} ${opcode.toString(16)} prefix ${prefix} /${ext} mod ${mod} rm ${rm} ${mnemonic} ${operands}`;
}

/** Every exact encoding slot (mode, map, opcode, prefix, W, mod, reg, rm) that a row claims. */
function* slots(row: TableRow): Generator<string> {
  const span = row.operandSpecs.some(({ source }) => source === 'Z') ? 8 : 1;
  const forms = row.mod === undefined ? ['mem', 'reg'] : [row.mod === 'mem' ? 'mem' : 'reg'];
  for (const mode of modes.filter((m) => row.only === undefined || row.only === m)) {
    for (let opcode = row.opcode; opcode < row.opcode + span; opcode++) {
      for (const prefix of row.prefix === undefined ? prefixes : [row.prefix]) {
        for (const w of row.w === undefined ? [0, 1] : [row.w]) {
          for (const form of forms) {
            for (let reg = 0; reg < 8; reg++) {
              if (row.ext !== undefined && row.ext !== reg) continue;
              for (let rm = 0; rm < 8; rm++) {
                if (row.rm !== undefined && row.rm !== rm) continue;
                yield [mode, row.vex ?? false, row.map, opcode, prefix, w, form, reg, rm].join(' ');
              }
            }
          }
        }
      }
    }
  }
}

/** How much a row pins down; of two overlapping rows the decoder takes the one that says more. */
function specificity(row: TableRow): number {
  return (row.prefix === undefined ? 0 : 8) + (row.w === undefined ? 0 : 1) + (row.rm === undefined ? 0 : 4);
}

test('no encoding belongs to two rows of the same standing', () => {
  const owners = new Map<string, TableRow>();
  const clashes: string[] = [];
  for (const row of instructionTable) {
    for (const slot of slots(row)) {
      const key = `${slot} ${specificity(row)}`;
      const owner = owners.get(key);
      if (owner !== undefined && owner !== row) clashes.push(`${describe(owner)} and ${describe(row)}`);
      owners.set(key, row);
    }
  }
  assert.deepEqual([...new Set(clashes)], []);
});

test('columns agree with each other', () => {
  for (const row of instructionTable) {
    const at = describe(row);
    if (row.rm !== undefined && row.mod === 'mem') assert.fail(`${at}: rm with a memory form`);
    if (row.lock === true) assert.match(row.operands, /^[EM]/, `${at}: LOCK wants a memory destination`);
    if (row.vex === true) assert.ok(row.map > 0 && row.prefix !== undefined, at);
    if (row.unaligned === true) assert.match(row.operands, /dq/, `${at}: only 16-byte operands are aligned`);
    if (row.rep !== undefined) assert.match(row.operands, /[XY][bvz]/, at);
    const needsCondition = /^(jcc|setcc|cmovcc|fcmovcc)$/.test(row.semantics);
    assert.equal(row.condition !== undefined, needsCondition, at);
    assert.match(row.semantics, /^[a-z0-9-]+$/, at);
    assert.match(row.undefinedFlags ?? '', /^O?S?Z?A?P?C?$/, at);
  }
});

test('rows are numbered by position and their operands parse', () => {
  for (const [i, row] of instructionTable.entries()) {
    assert.equal(row.id, i);
    assert.equal(operandsOf(row).length, row.operands === '' ? 0 : row.operands.split(',').length);
  }
});

test('condition codes are the low four opcode bits of Jcc, SETcc and CMOVcc', () => {
  const integer = instructionTable.filter((row) => /^(jcc|setcc|cmovcc)$/.test(row.semantics));
  assert.equal(integer.length, 64);
  for (const row of integer) assert.equal(row.condition, row.opcode & 15, describe(row));
});

test('every x87 opcode byte pair that a processor executes has a row', () => {
  const missing: string[] = [];
  for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
    for (let modrm = 0; modrm < 256; modrm++) {
      const [form, reg, rm] = [modrm >= 0xc0 ? 'reg' : 'mem', (modrm >> 3) & 7, modrm & 7];
      const row = instructionTable.find(
        (r) => r.map === 0 && r.opcode === opcode && r.mod === form && r.ext === reg && (r.rm ?? rm) === rm,
      );
      if (row === undefined && (form === 'reg' || rm === 0))
        missing.push(`${opcode.toString(16)} ${modrm.toString(16)}`);
    }
  }
  // SDM Vol. 2D tables: the blank entries that processors do not execute either.
  const undefinedPairs = [
    ...['d9 8', 'd9 48', 'd9 88'],
    ...[0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xe2, 0xe3, 0xe6, 0xe7, 0xef].map((b) => `d9 ${b.toString(16)}`),
    ...[0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef].map(
      (b) => `da ${b.toString(16)}`,
    ),
    ...range(0xf0, 0xff).map((b) => `da ${b}`),
    ...['db 20', 'db 60', 'db a0', 'db 30', 'db 70', 'db b0', 'db e5', 'db e6', 'db e7'],
    ...range(0xf8, 0xff).map((b) => `db ${b}`),
    ...['dd 28', 'dd 68', 'dd a8'],
    ...range(0xf0, 0xff).map((b) => `dd ${b}`),
    ...['de d8', 'de da', 'de db', 'de dc', 'de dd', 'de de', 'de df'],
    ...range(0xe1, 0xe7).map((b) => `df ${b}`),
    ...range(0xf8, 0xff).map((b) => `df ${b}`),
  ];
  assert.deepEqual(missing.sort(), undefinedPairs.sort());
});

function range(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i).toString(16));
}

test('semantics names are sorted and unique', () => {
  const names = semanticsNames();
  assert.deepEqual(names, [...new Set(names)].sort());
  for (const expected of ['add', 'jcc', 'mov', 'fadd', 'addps', 'paddb', 'iret']) assert.ok(names.includes(expected));
});
