import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rubbish, TestBoard, TestLine } from '../testing/test-board.ts';
import { Rtc } from './rtc.ts';

const ms = 1_000_000;
const second = 1000 * ms;

/** A board that is switched on at 2026-03-31 23:59:57.250 UTC, a Tuesday. */
function board(memory = { low: 512 << 20, high: 0 }, at = Date.UTC(2026, 2, 31, 23, 59, 57, 250)) {
  const base = new TestBoard();
  const irq8 = new TestLine();
  let nmiMasked = false;
  const rtc = new Rtc(
    {
      timers: base.timers,
      wallClockMs: () => at + base.clock.nowNs() / ms,
      irq8,
      nmiMask: (masked) => {
        nmiMasked = masked;
      },
    },
    memory,
  );
  rtc.attach(base.ports);
  const read = (index: number) => {
    base.out(0x70, index);
    return base.inb(0x71);
  };
  const write = (index: number, value: number) => {
    base.out(0x70, index);
    base.out(0x71, value);
  };
  const time = () => [0x32, 9, 8, 7, 6, 4, 2, 0].map((index) => read(index).toString(16).padStart(2, '0')).join(' ');
  return { base, rtc, irq8, read, write, time, nmiMasked: () => nmiMasked, run: (ns: number) => base.run(ns) };
}

test('the time of day in BCD, 24 hours', () => {
  const b = board();
  assert.equal(b.read(0x0b), 0x02);
  assert.equal(b.read(0x0d), 0x80);
  assert.equal(b.time(), '20 26 03 31 03 23 59 57');
  b.run(3 * second);
  assert.equal(b.time(), '20 26 04 01 04 00 00 00');
});

test('binary and 12-hour formats', () => {
  const b = board();
  b.write(0x0b, 0x04);
  assert.equal(b.time(), '14 1a 03 1f 03 8b 3b 39');
  b.write(0x0b, 0x00);
  assert.equal(b.read(4), 0x91, '11 pm');
  b.run(3 * second);
  assert.equal(b.read(4), 0x12, '12 am');
  b.run(12 * 3600 * second);
  assert.equal(b.read(4), 0x92, '12 pm');
});

test('the guest sets the time under SET, and it runs on from there', () => {
  const b = board();
  b.write(0x0b, 0x82);
  b.run(10 * second);
  assert.equal(b.read(0), 0x57, 'SET holds the registers');
  const values = [0x50, 0x59, 0x23, 0x02, 0x28, 0x02, 0x24, 0x20];
  [0, 2, 4, 6, 7, 8, 9, 0x32].forEach((index, i) => {
    b.write(index, values[i] as number);
  });
  assert.equal(b.time(), '20 24 02 28 02 23 59 50');
  b.write(0x0b, 0x02);
  b.run(10 * second);
  assert.equal(b.time(), '20 24 02 29 03 00 00 00', '2024 is a leap year; the weekday is the guest’s own');
  b.run(86_400 * second);
  assert.equal(b.time(), '20 24 03 01 04 00 00 00');
});

test('a register written without SET counts at once', () => {
  const b = board();
  b.write(2, 0x30);
  assert.equal(b.time(), '20 26 03 31 03 23 30 57');
});

test('after a divider reset the first update comes half a second later', () => {
  const b = board();
  b.write(0x0a, 0x76);
  b.run(5 * second);
  b.write(0, 0x00);
  b.write(0x0a, 0x26);
  b.run(499 * ms);
  assert.equal(b.read(0), 0x00);
  b.run(2 * ms);
  assert.equal(b.read(0), 0x01);
});

test('UIP warns before the update and never while SET', () => {
  const b = board();
  assert.equal(b.read(0x0a), 0x26);
  b.run(745 * ms);
  assert.equal(b.read(0x0a), 0x26);
  b.run(4 * ms);
  assert.equal(b.read(0x0a), 0xa6);
  b.write(0x0b, 0x82);
  assert.equal(b.read(0x0a), 0x26);
  b.write(0x0b, 0x02);
  b.run(1 * ms);
  assert.equal(b.read(0x0a), 0x26);
  assert.equal(b.read(0), 0x58);
});

test('update-ended interrupts: once a second, held until register C is read', () => {
  const b = board();
  b.read(0x0c);
  b.write(0x0b, 0x12);
  b.run(749 * ms);
  assert.equal(b.irq8.level, false);
  b.run(2 * ms);
  assert.equal(b.irq8.level, true);
  b.run(3 * second);
  assert.equal(b.irq8.edges, 1);
  assert.equal(b.read(0x0c) & 0x90, 0x90);
  assert.equal(b.irq8.level, false);
  assert.equal(b.read(0x0c), 0);
  b.run(second);
  assert.equal(b.irq8.edges, 2);
});

test('periodic interrupts at the programmed rate', () => {
  for (const [rate, hz] of [
    [0x6, 1024],
    [0x3, 8192],
    [0xf, 2],
    [0x1, 256],
    [0x2, 128],
  ] as const) {
    const b = board();
    b.write(0x0a, 0x20 | rate);
    b.read(0x0c);
    b.write(0x0b, 0x42);
    let ticks = 0;
    for (let i = 0; i < 40_000; i++) {
      b.run(50_000);
      if (!b.irq8.level) continue;
      ticks++;
      assert.equal(b.read(0x0c) & 0xc0, 0xc0);
    }
    assert.ok(Math.abs(ticks - 2 * hz) <= 1, `${ticks} ticks at ${hz} Hz in two seconds`);
  }
});

test('rate 0 is silence; flags show without enables', () => {
  const b = board();
  b.write(0x0a, 0x20);
  b.read(0x0c);
  b.write(0x0b, 0x42);
  b.run(second * 2);
  assert.equal(b.irq8.edges, 0);
  assert.equal(b.read(0x0c), 0x10, 'UF by itself');
});

test('the alarm matches whole times, and any byte from C0h up is a wildcard', () => {
  const b = board();
  b.read(0x0c);
  b.write(1, 0x02);
  b.write(3, 0x00);
  b.write(5, 0x00);
  b.write(0x0b, 0x22);
  b.run(4 * second);
  assert.equal(b.irq8.level, false);
  b.run(second);
  assert.equal(b.irq8.level, true);
  assert.equal(b.read(0x0c) & 0xb0, 0xb0);
  b.run(3600 * second);
  assert.equal(b.irq8.edges, 1, 'not before tomorrow');
  b.write(5, 0xc0);
  b.write(3, 0xff);
  b.write(1, 0x30);
  for (let minute = 0; minute < 5; minute++) {
    b.run(60 * second);
    assert.equal(b.read(0x0c) & 0xa0, 0xa0);
  }
  assert.equal(b.irq8.edges, 6);
});

test('an alarm that no time matches never fires', () => {
  const b = board();
  b.write(5, 0x99);
  b.write(0x0b, 0x22);
  b.run(3 * 86_400 * second);
  assert.equal(b.irq8.edges, 0);
});

test('SET clears UIE', () => {
  const b = board();
  b.write(0x0b, 0x92);
  assert.equal(b.read(0x0b), 0x82);
});

test('memory sizes as a PC BIOS leaves them', () => {
  const small = board({ low: 64 << 20, high: 0 });
  const word = (b: ReturnType<typeof board>, index: number) => b.read(index) | (b.read(index + 1) << 8);
  assert.equal(word(small, 0x15), 640);
  assert.equal(word(small, 0x17), 63 * 1024);
  assert.equal(word(small, 0x30), 63 * 1024);
  assert.equal(word(small, 0x34), (48 << 20) / 65_536);
  const large = board({ low: 3 * 2 ** 30, high: 5 * 2 ** 30 });
  assert.equal(word(large, 0x17), 0xffff);
  assert.equal(word(large, 0x34), (3 * 2 ** 30 - 2 ** 24) / 65_536);
  assert.equal(word(large, 0x5b) | (large.read(0x5d) << 16), (5 * 2 ** 30) / 65_536);
  let sum = 0;
  for (let i = 0x10; i <= 0x2d; i++) sum += large.read(i);
  assert.equal((large.read(0x2e) << 8) | large.read(0x2f), sum);
});

test('bit 7 of the index masks NMI; the index port does not read', () => {
  const b = board();
  b.base.out(0x70, 0x8f);
  assert.equal(b.nmiMasked(), true);
  assert.equal(b.base.inb(0x70), 0xff);
  b.base.out(0x71, 0x0a);
  b.base.out(0x70, 0x0f);
  assert.equal(b.nmiMasked(), false);
  assert.equal(b.base.inb(0x71), 0x0a);
});

test('registers C and D do not write; a reset keeps time and RAM but stops interrupts', () => {
  const b = board();
  b.write(0x0c, 0xff);
  b.write(0x0d, 0x00);
  assert.equal(b.read(0x0d), 0x80);
  b.write(0x0f, 0x55);
  b.write(0x0b, 0x7e);
  b.run(5 * second);
  assert.equal(b.irq8.level, true);
  b.rtc.reset();
  assert.equal(b.irq8.level, false);
  assert.equal(b.read(0x0b), 0x06);
  assert.equal(b.read(0x0f), 0x55);
  b.run(10 * second);
  assert.equal(b.irq8.edges, 1);
});

test('a host clock that steps back does not stop update interrupts', () => {
  let wall = Date.UTC(2026, 0, 1);
  const base = new TestBoard();
  const irq8 = new TestLine();
  const rtc = new Rtc({ timers: base.timers, wallClockMs: () => wall, irq8, nmiMask: () => {} }, { low: 0, high: 0 });
  rtc.attach(base.ports);
  base.out(0x70, 0x0b);
  base.out(0x71, 0x12);
  wall -= 3_600_000;
  base.run(second);
  wall += 1500;
  base.run(2 * second);
  assert.equal(irq8.level, true);
});

test('rubbish in every register is survived', () => {
  const b = board();
  for (const value of rubbish(5, 20_000)) {
    b.write(value & 0xff, (value >>> 8) & 0xff);
    assert.ok(b.base.inb(0x71) <= 0xff);
    b.base.clock.advance((value >>> 16) * 1000);
    b.base.timers.runExpired();
    assert.ok(b.base.timers.nextDeadlineNs() > b.base.clock.nowNs());
  }
  assert.ok(Number.isFinite(b.rtc.save().offsetMs));
});

test('save and restore keep the set time, alarms and pending flags', () => {
  const a = board();
  a.write(4, 0x11);
  a.write(1, 0x05);
  a.write(3, 0xff);
  a.write(5, 0xff);
  a.write(0x0b, 0x72);
  a.base.out(0x70, 0x8b);
  a.run(2 * second);
  const b = board();
  b.base.clock.advance(2 * second);
  b.rtc.restore(structuredClone(a.rtc.save()));
  assert.equal(b.nmiMasked(), true);
  assert.equal(b.irq8.level, true);
  for (let i = 0; i < 100; i++) {
    assert.equal(b.irq8.level, a.irq8.level);
    assert.equal(b.read(0x0c), a.read(0x0c));
    assert.equal(b.time(), a.time());
    a.run(130 * ms);
    b.run(130 * ms);
  }
});
