import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rubbish, TestBoard } from '../testing/test-board.ts';
import { Dma8237 } from './dma-8237.ts';

function board() {
  const base = new TestBoard();
  const dma = new Dma8237();
  dma.attach(base.ports);
  return { dma, out: (port: number, value: number) => base.out(port, value), inb: (port: number) => base.inb(port) };
}

test('address and count take two bytes, low first, in step with the flip-flop', () => {
  const { out, inb } = board();
  for (const [clear, address] of [
    [0x0c, 0x04],
    [0xd8, 0xc4],
  ] as const) {
    out(clear, 0);
    out(address, 0x34);
    out(address, 0x12);
    out(clear, 0xff);
    assert.equal(inb(address), 0x34);
    assert.equal(inb(address), 0x12);
    out(address, 0x99);
    out(clear, 0);
    assert.equal(inb(address), 0x99);
    assert.equal(inb(address), 0x12);
  }
});

test('masks: after reset all four, then one by one or together', () => {
  const { out, inb } = board();
  assert.equal(inb(0x0f), 0xff);
  out(0x0a, 0x02);
  assert.equal(inb(0x0f), 0xfb);
  out(0x0a, 0x06);
  assert.equal(inb(0x0f), 0xff);
  out(0x0e, 0);
  assert.equal(inb(0x0f), 0xf0);
  out(0x0f, 0x05);
  assert.equal(inb(0x0f), 0xf5);
  out(0x0d, 0);
  assert.equal(inb(0x0f), 0xff, 'master clear, as kernels do at start');
});

test('page registers hold their bytes; a request shows in status; nothing ever ends', () => {
  const { out, inb } = board();
  for (let port = 0x81; port <= 0x8f; port++) out(port, port ^ 0x5a);
  for (let port = 0x81; port <= 0x8f; port++) assert.equal(inb(port), port ^ 0x5a);
  out(0x09, 0x05);
  assert.equal(inb(0x08), 0x20);
  out(0x0b, 0x45);
  assert.equal(inb(0x0d), 0);
});

test('rubbish, then save and restore: the same answers on every port', () => {
  const a = board();
  const portOf = (value: number) => ((value & 1) !== 0 ? (value >>> 4) & 0x0f : 0xc0 + ((value >>> 4) & 0x1f));
  for (const value of rubbish(3, 5_000)) a.out(portOf(value), (value >>> 16) & 0xff);
  const b = board();
  b.dma.restore(structuredClone(a.dma.save()));
  for (const value of rubbish(4, 2_000)) {
    const port = portOf(value);
    assert.equal(b.inb(port), a.inb(port));
    for (const { out } of [a, b]) out(port, (value >>> 16) & 0xff);
  }
  a.dma.reset();
  assert.equal(a.inb(0x0f), 0xff);
});
