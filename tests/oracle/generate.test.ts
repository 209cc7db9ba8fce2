import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { decode } from '../../src/cpu/decode/decoder.ts';
import { instructionTable } from '../../src/cpu/isa/table.ts';
import { CaseBatch } from './case.ts';
import { Generator } from './generate.ts';
import { areaOf, areas, matchingRows, rows } from './rows.ts';

const perRow = 20;

function batchOf(id: string, seed: number, from: number, to: number): CaseBatch {
  const row = matchingRows(id)[0];
  assert.ok(row);
  const generator = new Generator(row.row, instructionTable, seed);
  const batch = new CaseBatch();
  for (let i = from; i < to; i++) generator.append(batch, i);
  return batch;
}

test('a case follows from row, seed and number alone', () => {
  const all = batchOf('ADC Ev,Gv (11)', 5, 0, 10);
  const one = batchOf('ADC Ev,Gv (11)', 5, 7, 8);
  assert.equal(Buffer.compare(all.case(7).state.bytes, one.case(0).state.bytes), 0);
  assert.deepEqual(all.case(7).code, one.case(0).code);
  assert.deepEqual(all.case(7).patches, one.case(0).patches);
  const other = batchOf('ADC Ev,Gv (11)', 6, 7, 8);
  assert.notEqual(Buffer.compare(all.case(7).state.bytes, other.case(0).state.bytes), 0);
});

test('names of rows are unique, and every row has an area', () => {
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
  for (const { row } of rows) assert.ok(areas.includes(areaOf(row)));
});

test('the decoder finds in every generated case the row it was made for', () => {
  for (const { id, row } of rows) {
    const batch = batchOf(id, 3, 0, perRow);
    for (let i = 0; i < perRow; i++) {
      const { code, mode } = batch.case(i);
      const decoded = decode(code, 0, code.length, { codeSize: mode, real: false });
      // LOCK where it is not allowed and control registers that do not exist are made on purpose.
      if (decoded.kind === 'undefined' && (code.includes(0xf0) || /[CD][dq]/.test(row.operands))) continue;
      const text = `${id}, case ${i}: ${Buffer.from(code).toString('hex')} in ${mode}-bit code`;
      assert.equal(decoded.kind, 'ok', text);
      if (decoded.kind !== 'ok') continue;
      assert.equal(decoded.instruction.length, code.length, text);
      // 90 stands in the middle of the row of XCHG.
      if (row.semantics !== 'xchg') assert.equal(decoded.instruction.row, row, text);
    }
  }
});
