import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructionTable } from '../../src/cpu/isa/table.ts';
import { CaseBuilder } from './builder.ts';
import { CaseBatch, type Patch, type Results, ResultWriter, StateView } from './case.ts';
import { compareResults } from './compare.ts';
import { fxField, noFault, region, stateField } from './layout.ts';
import { matchingRows } from './rows.ts';
import { shapeOf } from './shape.ts';

function resultOf(state: Uint8Array, change: (state: StateView) => void, changes: readonly Patch[] = []): Results {
  const after = new StateView(new DataView(state.slice().buffer), 0);
  after.vector = noFault;
  change(after);
  const writer = new ResultWriter();
  writer.appendChanges(after.bytes, changes);
  return writer.finish();
}

/** Where results of one case differ: `actual` against a result that is the state before. */
function differences(name: string, code: number[], actual: (state: StateView) => void, changes?: Patch[]): string[] {
  const row = matchingRows(name)[0]?.row;
  assert.ok(row);
  const builder = new CaseBuilder();
  builder.code = Uint8Array.from(code);
  const batch = new CaseBatch();
  builder.appendTo(batch);
  const expected = resultOf(builder.bytes, () => {});
  const found = compareResults(
    shapeOf(row, instructionTable),
    batch.case(0),
    expected,
    resultOf(builder.bytes, actual, changes),
    0,
  );
  return found.map(({ where }) => where);
}

const flipFlag = (bit: number) => (state: StateView) =>
  state.setQuad(stateField.rflags, state.quad(stateField.rflags) ^ BigInt(bit));
const [AF, OF, CF] = [0x10, 0x800, 1] as const;

test('equal results have no differences', () => {
  assert.deepEqual(
    differences('ADD Ev,Gv (01)', [0x01, 0xd8], () => {}),
    [],
  );
});

test('a defined flag counts, an undefined one does not', () => {
  assert.deepEqual(differences('ADD Ev,Gv (01)', [0x01, 0xd8], flipFlag(AF)), ['RFLAGS']);
  assert.deepEqual(differences('AND Ev,Gv (21)', [0x21, 0xd8], flipFlag(AF)), []);
  assert.deepEqual(differences('AND Ev,Gv (21)', [0x21, 0xd8], flipFlag(CF)), ['RFLAGS']);
});

test('OF of a shift is defined for a count of 1, and every flag for 0', () => {
  const shift = 'SHL Ev,Ib (C1 /4)';
  assert.deepEqual(differences(shift, [0xc1, 0xe0, 1], flipFlag(OF)), ['RFLAGS']);
  assert.deepEqual(differences(shift, [0xc1, 0xe0, 2], flipFlag(OF)), []);
  assert.deepEqual(differences(shift, [0xc1, 0xe0, 32], flipFlag(AF)), ['RFLAGS']);
  assert.deepEqual(differences(shift, [0xc1, 0xe0, 1], flipFlag(AF)), []);
});

test('every register, the fault and memory count', () => {
  const add = (actual: (state: StateView) => void, changes?: Patch[]): string[] =>
    differences('ADD Ev,Gv (01)', [0x01, 0xd8], actual, changes);
  assert.deepEqual(
    add((s) => s.setGpr(13, 5n)),
    ['R13'],
  );
  assert.deepEqual(
    add((s) => s.setQuad(stateField.rip, 5n)),
    ['RIP'],
  );
  assert.deepEqual(
    add((s) => s.setSelector(5, 5)),
    ['GS'],
  );
  assert.deepEqual(
    add((s) => s.setQuad(stateField.fx + fxField.xmm + 48, 5n)),
    ['XMM3'],
  );
  assert.deepEqual(
    add((s) => s.setQuad(stateField.fx + fxField.st + 16, 5n)),
    ['ST1'],
  );
  assert.deepEqual(
    add((s) => s.view.setUint32(s.at + stateField.fx + fxField.mxcsr, 0, true)),
    ['MXCSR'],
  );
  assert.deepEqual(
    add((s) => {
      s.vector = 13;
    }),
    ['fault'],
  );
  const changed = { address: region.data.address + 0x20, bytes: new Uint8Array(8) };
  assert.deepEqual(
    add(() => {}, [changed]),
    ['memory 61000020'],
  );
});

test('transcendentals may be off by one unit in the last place, arithmetic may not', () => {
  const off = (units: bigint) => (state: StateView) => state.setQuad(stateField.fx + fxField.st, units);
  assert.deepEqual(differences('FSIN', [0xd9, 0xfe], off(1n)), []);
  assert.deepEqual(differences('FSIN', [0xd9, 0xfe], off(2n)), ['ST0']);
  assert.deepEqual(differences('FSQRT', [0xd9, 0xfa], off(1n)), ['ST0']);
});

test('approximations may differ within their precision', () => {
  const value = (x: number) => (state: StateView) =>
    state.view.setFloat32(state.at + stateField.fx + fxField.xmm, x, true);
  assert.deepEqual(differences('RCPSS', [0xf3, 0x0f, 0x53, 0xc0], value(1e-30)), ['XMM0']);
});
