import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateProcessorBoard, ProcessorBoard } from './processor-board.ts';

const create = (): ProcessorBoard => new ProcessorBoard(allocateProcessorBoard());

test('a page of code that another processor clears piece by piece is one run, wherever in RAM', () => {
  for (const page of [0, 0x7000, 0xffff_f000]) {
    const board = create();
    for (let at = 0; at < 4096; at += 8) board.postWrite(1, { ramOffset: page + at, length: 8 });
    assert.equal(board.hasMail(0), false);
    assert.deepEqual(board.takeMail(1, false).writes, [{ ramOffset: page, length: 4096 }]);
    assert.equal(board.hasMail(1), false);
  }
});

test('runs reach over what lies between them in a page, not into others', () => {
  const board = create();
  board.postWrite(1, { ramOffset: 0x5800, length: 4 });
  board.postWrite(1, { ramOffset: 0x5100, length: 2 });
  board.postWrite(1, { ramOffset: 0x6000, length: 1 });
  board.postWrite(1, { ramOffset: 0x5000, length: 0x2000 });
  assert.deepEqual(board.takeMail(1, true).writes, []);
  assert.deepEqual(board.takeMail(1, false).writes, [
    { ramOffset: 0x5100, length: 0x704 },
    { ramOffset: 0x6000, length: 1 },
    { ramOffset: 0x5000, length: 0x2000 },
  ]);
});

test('more than the lists hold is everything', () => {
  const board = create();
  for (let n = 0; n < 512; n++) {
    board.postWrite(1, { ramOffset: n * 4096, length: 8 });
    board.postPage(1, n);
  }
  assert.equal(board.takeMail(1, true).pages?.length, 512);
  assert.equal(board.takeMail(1, false).writes?.length, 512);
  for (let n = 0; n < 600; n++) {
    board.postWrite(1, { ramOffset: n * 4096, length: 8 });
    board.postPage(1, n);
  }
  assert.deepEqual(board.takeMail(1, false), { pages: undefined, writes: undefined });
  assert.deepEqual(board.takeMail(1, false), { pages: [], writes: [] });
});
