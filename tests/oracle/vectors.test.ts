import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { instructionTable } from '../../src/cpu/isa/table.ts';
import { CaseBatch, ResultWriter } from './case.ts';
import { Generator } from './generate.ts';
import { region } from './layout.ts';
import { rows } from './rows.ts';
import { decodeRecordings, encode, type Recording } from './vectors.ts';

function sample(): Recording[] {
  return rows.slice(0, 3).map(({ id, row }) => {
    const generator = new Generator(row, instructionTable, 1);
    const batch = new CaseBatch();
    const writer = new ResultWriter();
    for (let i = 0; i < 5; i++) {
      generator.append(batch, i);
      const change = { address: region.data.address + 16 * i, bytes: new Uint8Array(8).fill(i) };
      writer.appendChanges(
        batch.case(i).state.bytes.map((byte) => byte ^ i),
        i === 0 ? [] : [change],
      );
    }
    return { id, batch, results: writer.finish() };
  });
}

test('recordings come back as they were', () => {
  const recordings = sample();
  const back = decodeRecordings(encode(recordings, 'a CPU'));
  assert.deepEqual(
    back.map(({ id }) => id),
    recordings.map(({ id }) => id),
  );
  for (const [i, { batch, results }] of recordings.entries()) {
    assert.equal(Buffer.compare(back[i]?.batch.file() ?? Buffer.of(), batch.file()), 0);
    assert.equal(Buffer.compare(back[i]?.results.bytes ?? Buffer.of(), results.bytes), 0);
  }
});

test('a truncated recording is refused', () => {
  const bytes = encode(sample(), 'a CPU');
  assert.throws(() => decodeRecordings(bytes.subarray(0, bytes.length - 1)), /truncated/);
});
