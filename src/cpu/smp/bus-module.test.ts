import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocatePageUsers, PageUsers } from '../../memory/page-users.ts';
import { state } from '../state/layout.ts';
import { createVcpuMemory } from '../state/vcpu-memory.ts';
import { createBus, stopRequest } from './bus-module.ts';
import { allocateProcessorBoard, ProcessorBoard } from './processor-board.ts';
import { Siblings } from './siblings.ts';

const kicked = -1;

/** Three processors; this thread is number 1, the others are what it makes of their words. */
function create() {
  const memories = [0, 1, 2].map(createVcpuMemory);
  const boardMemory = allocateProcessorBoard();
  const board = new ProcessorBoard(boardMemory);
  const requests = memories.map(({ buffer }) => new Int32Array(buffer, state.request, 1));
  const request = (processor: number): number => requests[processor]?.[0] as number;
  const setRequest = (value: number): void => void requests[1]?.fill(value);
  board.setBusy(1, true);
  return { bus: createBus(memories, boardMemory, 1), board, request, setRequest };
}

test('who locks the bus stops the others, which run on when it is unlocked', () => {
  const { bus, board, request } = create();
  assert.equal(bus.lockBus(), 0);
  assert.equal(board.stoppedBy, 1);
  assert.deepEqual([0, 1, 2].map(request), [stopRequest, 0, stopRequest]);
  bus.unlockBus();
  assert.equal(board.stoppedBy, -1);
});

test('a kick that says more than to stop stays', () => {
  const memories = [0, 1].map(createVcpuMemory);
  const words = new Int32Array(memories[0]?.buffer as SharedArrayBuffer, state.request, 1);
  words.fill(kicked);
  assert.equal(createBus(memories, allocateProcessorBoard(), 1).lockBus(), 0);
  assert.equal(words[0], kicked);
});

test('one that does not stop for long is waited for in TypeScript, with the others stopped', () => {
  const { bus, board } = create();
  board.setBusy(2, true);
  assert.notEqual(bus.lockBus(), 0);
  assert.equal(board.stoppedBy, 1);
  const kicks: number[] = [];
  const siblings = new Siblings({
    board,
    bus,
    processor: 1,
    processors: 3,
    users: new PageUsers(allocatePageUsers(1 << 20), 1),
    cores: 2,
    kick: (other) => {
      kicks.push(other);
      if (other === 2 && kicks.length > 2) board.setBusy(2, false);
    },
  });
  siblings.stopOthers();
  assert.deepEqual(kicks, [0, 2, 2]);
  assert.equal(board.stoppedBy, 1);
});

test('while another has the bus, nobody locks it', () => {
  const { bus, board, request } = create();
  assert.ok(board.tryStop(2));
  assert.notEqual(bus.lockBus(), 0);
  assert.equal(board.stoppedBy, 2);
  assert.deepEqual([0, 2].map(request), [0, 0]);
});

test('a stop that is over before anybody looked is no reason to end a slice', () => {
  const { bus, board, request, setRequest } = create();
  setRequest(stopRequest);
  assert.notEqual(bus.stepAside(), 0);
  assert.equal(request(1), 0);
  assert.ok(board.isBusy(1));
});

test('who has stopped the others need not step aside itself', () => {
  const { bus, board, setRequest } = create();
  setRequest(stopRequest);
  assert.ok(board.tryStop(1));
  assert.notEqual(bus.stepAside(), 0);
});

test('a kick for anything else ends the slice', () => {
  const { bus, request, setRequest } = create();
  setRequest(kicked);
  assert.equal(bus.stepAside(), 0);
  assert.equal(request(1), kicked);
});

test('mail ends the slice, for it is opened outside', () => {
  const { bus, board, request, setRequest } = create();
  setRequest(stopRequest);
  board.postPage(1, 7);
  assert.equal(bus.stepAside(), 0);
  assert.equal(request(1), kicked);
  assert.ok(board.hasMail(1) && board.isBusy(1));
});

test('a stop that lasts is waited for in TypeScript', () => {
  const { bus, board, request, setRequest } = create();
  setRequest(stopRequest);
  assert.ok(board.tryStop(0));
  assert.equal(bus.stepAside(), 0);
  assert.equal(request(1), kicked);
  assert.ok(board.isBusy(1));
});

test('the host exchanges 16 bytes while another processor is busy; who is alone locks the bus', () => {
  const memories = [0, 1, 2].map(createVcpuMemory);
  const boardMemory = allocateProcessorBoard();
  const board = new ProcessorBoard(boardMemory);
  const asked: number[] = [];
  const bus = createBus(memories, boardMemory, 1, (ramOffset) => {
    asked.push(ramOffset);
    return asked.length - 2;
  });
  board.setBusy(1, true);
  assert.equal(bus.exchangeWide(0x10), -1);
  assert.deepEqual(asked, []);
  board.setBusy(2, true);
  assert.deepEqual([bus.exchangeWide(0x20), bus.exchangeWide(-16), bus.exchangeWide(0x30)], [-1, 0, 1]);
  assert.deepEqual(asked, [0x20, -16, 0x30]);
  board.setBusy(2, false);
  assert.equal(bus.exchangeWide(0x40), -1);
  // None of that is a stop.
  assert.equal(board.stoppedBy, -1);
});
