import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocatePageUsers, PageUsers } from '../../memory/page-users.ts';
import { soloBus } from './bus-module.ts';
import { allocateProcessorBoard, ProcessorBoard } from './processor-board.ts';
import { Siblings } from './siblings.ts';

test('cores are taken when as many processors run as the host has, the asking one counted whether it runs or not', () => {
  const board = new ProcessorBoard(allocateProcessorBoard());
  const users = new PageUsers(allocatePageUsers(1 << 20), 1);
  const taken = (cores: number): boolean =>
    new Siblings({ board, bus: soloBus, processor: 1, processors: 4, users, kick: () => {}, cores }).coresTaken;
  assert.deepEqual([1, 2, 3].map(taken), [true, false, false]);
  board.setBusy(1, true);
  assert.equal(taken(2), false);
  board.setBusy(3, true);
  assert.deepEqual([1, 2, 3].map(taken), [true, true, false]);
  board.setBusy(3, false);
  assert.equal(taken(2), false);
});
