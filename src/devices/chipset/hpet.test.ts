import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmioBus } from '../../device-model/mmio.ts';
import type { AccessSize } from '../../device-model/port-io.ts';
import { rubbish, TestBoard, TestLine } from '../testing/test-board.ts';
import { Hpet } from './hpet.ts';

const base = 0xfed0_0000;
const us = 1_000;
const ms = 1_000_000;

function board() {
  const host = new TestBoard();
  const mmio = new MmioBus();
  const [irq0, irq8] = [new TestLine(), new TestLine()];
  const inputs = new Map<number, TestLine[]>();
  const legacy: boolean[] = [];
  const hpet = new Hpet({
    timers: host.timers,
    irq0,
    irq8,
    legacyReplacement: (active) => legacy.push(active),
    ioApicInput: (input) => {
      const line = new TestLine();
      inputs.set(input, [...(inputs.get(input) ?? []), line]);
      return line;
    },
  });
  hpet.attach(mmio);
  const read = (offset: number) => mmio.read(base + offset, 4);
  const write = (offset: number, value: number) => mmio.write(base + offset, 4, value);
  const read64 = (offset: number) => BigInt(read(offset)) | (BigInt(read(offset + 4)) << 32n);
  const write64 = (offset: number, value: bigint) => {
    write(offset, Number(value & 0xffff_ffffn));
    write(offset + 4, Number(value >> 32n));
  };
  /** The wire from timer `timer` to IOAPIC input `input`. */
  const line = (timer: number, input: number) => inputs.get(input)?.[timer] as TestLine;
  return {
    host,
    mmio,
    hpet,
    irq0,
    irq8,
    legacy,
    inputs,
    line,
    read,
    write,
    read64,
    write64,
    run: (ns: number) => host.run(ns),
  };
}

test('capabilities: 100 MHz, 64 bits, three timers, legacy replacement', () => {
  const { read, write } = board();
  assert.equal(read(0x004), 10_000_000);
  assert.equal(read(0x000), 0x8086_a201);
  write(0x000, 0);
  write(0x004, 0);
  assert.equal(read(0x000), 0x8086_a201);
  for (const timer of [0x100, 0x120, 0x140]) {
    assert.equal(read(timer), 0x30, 'periodic and 64-bit capable, no FSB');
    assert.equal(read(timer + 4), 0x00f0_0000);
  }
  assert.equal(read(0x160), 0);
});

test('the counter stands until it is enabled, runs at 10 ns, and keeps its value when stopped', () => {
  const { read, write, read64, write64, run } = board();
  run(ms);
  assert.equal(read(0xf0), 0);
  write64(0xf0, 0x1_ffff_fff0n);
  write(0x10, 1);
  run(ms);
  assert.equal(read64(0xf0), 0x1_ffff_fff0n + 100_000n);
  write(0x10, 0);
  run(ms);
  assert.equal(read64(0xf0), 0x1_ffff_fff0n + 100_000n);
  write(0x10, 1);
  run(10);
  assert.equal(read64(0xf0), 0x1_ffff_fff0n + 100_001n);
});

test('a 64-bit read in two halves does not tear, and a lone high half is fresh', () => {
  const { host, read, write, write64 } = board();
  write64(0xf0, 0xffff_fffen);
  write(0x10, 1);
  const low = read(0xf0);
  host.clock.advance(1000);
  assert.equal(low, 0xffff_fffe);
  assert.equal(read(0xf4), 0);
  assert.equal(read(0xf4), 1);
  read(0xf0);
  read(0x00);
  assert.equal(read(0xf4), 1);
});

test('one-shot in 32-bit mode as Linux sets events', () => {
  const { read, write, run, line } = board();
  write(0x10, 1);
  write(0x100, (20 << 9) | 0x100 | 0x04);
  write(0x108, (read(0xf0) + 100_000) >>> 0);
  run(ms - 10);
  assert.equal(line(0, 20).level, false);
  run(10);
  assert.equal(line(0, 20).edges, 1);
  run(10_000 * ms);
  assert.equal(line(0, 20).edges, 1);
  write(0x108, (read(0xf0) + 500) >>> 0);
  run(5 * us);
  assert.equal(line(0, 20).edges, 2);
  run(42_950 * ms);
  assert.equal(line(0, 20).edges, 3, 'a 32-bit comparator matches again when the counter wraps');
});

test('periodic with legacy replacement: VAL_SET, then the period, as Linux writes them', () => {
  const { read, write, run, irq0, legacy } = board();
  write(0x10, 0);
  write(0x10, 0x03);
  assert.deepEqual(legacy, [true]);
  write(0x100, 0x100 | 0x40 | 0x08 | 0x04);
  write(0x108, (read(0xf0) + 100_000) >>> 0);
  assert.equal(read(0x100) & 0x40, 0, 'VAL_SET clears itself');
  run(us);
  write(0x108, 100_000);
  run(10 * ms);
  assert.equal(irq0.edges, 10);
  run(1000 * ms);
  assert.equal(irq0.edges, 1010);
  assert.equal(read(0x108), 101_100_000, 'the comparator holds the next match');
});

test('a period may be set by the one write under VAL_SET', () => {
  const { write, write64, run, irq0 } = board();
  write(0x100, 0x40 | 0x08 | 0x04);
  write64(0x108, 100_000n);
  write(0x10, 0x03);
  run(10 * ms);
  assert.equal(irq0.edges, 10);
});

test('64-bit comparators take both halves under one VAL_SET', () => {
  const { read, write, read64, write64, run, line } = board();
  write64(0xf0, 0x5_0000_0000n);
  write(0x120, (21 << 9) | 0x40 | 0x08 | 0x04);
  write64(0x128, 0x5_0000_1000n);
  assert.equal(read64(0x128), 0x5_0000_1000n);
  write64(0x128, 1000n);
  write(0x10, 1);
  run(40_960 - 10);
  assert.equal(line(1, 21).edges, 0);
  run(10);
  assert.equal(line(1, 21).edges, 1);
  run(100 * us);
  assert.equal(line(1, 21).edges, 11);
  assert.equal(read(0x120) & 0x40, 0);
});

test('timer 1 replaces the RTC, timer 2 keeps its route; both need ENABLE', () => {
  const { write, run, irq8, line, legacy } = board();
  write(0x10, 0x02);
  assert.deepEqual(legacy, []);
  write(0x120, (20 << 9) | 0x104);
  write(0x128, 100);
  write(0x140, (22 << 9) | 0x104);
  write(0x148, 200);
  write(0x10, 0x03);
  run(10 * us);
  assert.equal(irq8.edges, 1);
  assert.equal(line(1, 20).edges, 0);
  assert.equal(line(2, 22).edges, 1);
  write(0x10, 0x00);
  assert.deepEqual(legacy, [true, false]);
  assert.equal(irq8.level, false);
});

test('level-triggered: status holds the wire until a one is written to it', () => {
  const { read, write, run, line } = board();
  write(0x140, (23 << 9) | 0x100 | 0x08 | 0x40 | 0x06);
  write(0x148, 1000);
  write(0x10, 1);
  run(10 * us);
  assert.equal(line(2, 23).level, true);
  assert.equal(read(0x20), 4);
  run(100 * us);
  assert.equal(line(2, 23).edges, 1);
  write(0x20, 1);
  assert.equal(line(2, 23).level, true);
  write(0x20, 4);
  assert.equal(line(2, 23).level, false);
  run(10 * us);
  assert.equal(line(2, 23).edges, 2);
});

test('status is there without the interrupt enable', () => {
  const { read, write, run, line } = board();
  write(0x100, (20 << 9) | 0x102);
  write(0x108, 100);
  write(0x10, 1);
  run(us);
  assert.equal(read(0x20), 1);
  assert.equal(line(0, 20).level, false);
  write(0x100, (20 << 9) | 0x106);
  assert.equal(line(0, 20).level, true);
});

test('a periodic timer whose interrupt is off wakes no host, and has moved on when it is looked at', () => {
  const { host, read, write, run, line } = board();
  write(0x10, 1);
  write(0x100, (20 << 9) | 0x148);
  write(0x108, 1000);
  write(0x108, 1000);
  assert.equal(host.timers.nextDeadlineNs(), Number.POSITIVE_INFINITY);
  run(25 * us);
  assert.equal(read(0x108), 3000);
  write(0x100, (20 << 9) | 0x10c);
  assert.equal(host.timers.nextDeadlineNs(), 30 * us);
  run(5 * us);
  assert.equal(line(0, 20).edges, 1);
});

test('routes that the board does not have are refused', () => {
  const { read, write } = board();
  write(0x100, 21 << 9);
  write(0x100, (5 << 9) | 0x04);
  assert.equal(read(0x100), 0x30 | (21 << 9) | 0x04);
});

test('a stalled host gets one interrupt and the phase stays', () => {
  const { host, read, write, irq0, run } = board();
  write(0x100, 0x100 | 0x40 | 0x08 | 0x04);
  write(0x108, 100_000);
  write(0x10, 3);
  host.clock.advance(1000 * ms + 300 * us);
  host.timers.runExpired();
  host.timers.runExpired();
  assert.equal(irq0.edges, 1);
  assert.equal(read(0x108), 100_100_000);
  run(700 * us);
  assert.equal(irq0.edges, 2);
});

test('what has been passed has matched when the counter is stopped or set, however late the host is', () => {
  const { host, read, write } = board();
  write(0x100, (20 << 9) | 0x14e);
  write(0x108, 100_000);
  write(0x120, 0x106);
  write(0x128, 150_000);
  write(0x10, 1);
  host.clock.advance(2 * ms + 300 * us);
  write(0x10, 0);
  assert.equal(read(0xf0), 230_000);
  assert.equal(read(0x108), 300_000);
  assert.equal(read(0x20), 3);
  write(0x20, 3);
  write(0x10, 1);
  host.clock.advance(ms);
  write(0xf0, 20_000);
  assert.equal(read(0x108), 400_000);
  assert.equal(read(0x20), 1);
});

test('a comparator of one tick or none does not hang the machine', () => {
  const { host, write, irq0 } = board();
  write(0x100, 0x100 | 0x40 | 0x08 | 0x04);
  write(0x108, 1);
  write(0x10, 3);
  for (let i = 0; i < 100; i++) {
    host.clock.advance(1000);
    host.timers.runExpired();
  }
  assert.equal(irq0.edges, 100);
  write(0x108, 0);
  host.clock.advance(1000);
  host.timers.runExpired();
  host.timers.runExpired();
  assert.ok(host.timers.nextDeadlineNs() > host.clock.nowNs());
});

test('rubbish in every register and width is survived', () => {
  const { host, mmio, read } = board();
  for (const value of rubbish(41, 20_000)) {
    const size = [4, 4, 2, 1][value & 3] as AccessSize;
    mmio.write(base + ((value >>> 4) & 0x1ff), size, (value * 2_654_435_761) >>> 0);
    const got = mmio.read(base + ((value >>> 13) & 0x3ff), size);
    assert.ok(got >= 0 && got < 2 ** (8 * size));
    host.clock.advance(value >>> 20);
    host.timers.runExpired();
  }
  assert.equal(read(0x004), 10_000_000);
});

test('save and restore in mid-flight', () => {
  const a = board();
  a.write(0x100, 0x40 | 0x108 | 0x04);
  a.write(0x108, 70_000);
  a.write(0x120, (21 << 9) | 0x06);
  a.write64(0x128, 150_000n);
  a.write(0x140, (22 << 9) | 0x40 | 0x0c);
  a.write64(0x148, 40_000n);
  a.write(0x10, 3);
  a.run(ms + 5 * us);
  const b = board();
  b.host.clock.advance(ms + 5 * us);
  b.hpet.restore(structuredClone(a.hpet.save()));
  assert.deepEqual(b.legacy, [true]);
  for (let i = 0; i < 10; i++) {
    for (const register of [0x10, 0x20, 0xf0, 0xf4, 0x100, 0x108, 0x120, 0x140, 0x148]) {
      assert.equal(b.read(register), a.read(register));
    }
    assert.equal(b.irq0.level, a.irq0.level);
    assert.equal(b.irq8.level, a.irq8.level);
    assert.equal(b.line(2, 22).level, a.line(2, 22).level);
    for (const board of [a, b]) board.run(150 * us);
  }
  assert.equal(a.irq8.level, true);
  b.hpet.reset();
  assert.equal(b.read(0x10), 0);
  assert.equal(b.irq8.level, false);
  assert.deepEqual(b.legacy, [true, false]);
});
