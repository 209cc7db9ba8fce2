import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rubbish, TestBoard, TestLine } from '../testing/test-board.ts';
import { Pit } from './pit.ts';
import { nsOfTick, ticksAt } from './tick-rate.ts';

const hz = 1_193_182;

function board() {
  const base = new TestBoard();
  const { clock, timers } = base;
  const irq0 = new TestLine();
  const pit = new Pit(timers, irq0);
  pit.attach(base.ports);
  const ahead = (count: number) => nsOfTick(ticksAt(clock.nowNs(), hz) + count, hz) - clock.nowNs();
  /** Moves the clock to the beginning of the tick `count` ticks ahead, without running timers. */
  const skip = (count: number) => clock.advance(ahead(count));
  /** The same, with the timers run at each deadline on the way. */
  const run = (count: number) => base.run(ahead(count));
  const out = (port: number, value: number) => base.out(port, value);
  const inb = (port: number) => base.inb(port);
  const count = (channel: number) => inb(0x40 + channel) | (inb(0x40 + channel) << 8);
  const load = (channel: number, control: number, value: number) => {
    out(0x43, (channel << 6) | control);
    out(0x40 + channel, value & 0xff);
    out(0x40 + channel, value >> 8);
  };
  const out2 = () => (inb(0x61) & 0x20) !== 0;
  return { clock, timers, pit, skip, run, out, inb, count, load, out2, irq: () => irq0.level, edges: () => irq0.edges };
}

test('mode 2 ticks at 100 Hz, one edge a period, counting down between', () => {
  const b = board();
  b.load(0, 0x34, 11_932);
  b.run(1);
  assert.equal(b.count(0), 11_932);
  b.run(100);
  assert.equal(b.count(0), 11_832);
  const before = b.edges();
  b.run(11_932 * 100);
  assert.equal(b.edges() - before, 100);
});

test('the first mode 2 edge comes one period after the load', () => {
  const b = board();
  b.load(0, 0x34, 1000);
  const before = b.edges();
  b.run(1000);
  assert.equal(b.edges(), before);
  b.run(1);
  assert.equal(b.edges(), before + 1);
});

test('a host that stalls for a second gives one edge, and the phase stays', () => {
  const b = board();
  b.load(0, 0x34, 1193);
  b.run(2);
  const before = b.edges();
  b.skip(1_193_000);
  b.timers.runExpired();
  b.timers.runExpired();
  assert.equal(b.edges(), before + 1);
  b.run(1193);
  assert.equal(b.edges(), before + 2);
});

test('mode 0: OUT is low until the count ends, then stays high', () => {
  const b = board();
  b.load(0, 0x30, 500);
  assert.equal(b.irq(), false);
  b.run(500);
  assert.equal(b.irq(), false);
  b.run(1);
  assert.equal(b.irq(), true);
  const edges = b.edges();
  b.run(200_000);
  assert.equal(b.edges(), edges, 'one shot');
  assert.equal(b.count(0), -200_000 & 0xffff, 'the counter wraps and counts on');
});

test('a control word alone stops counter 0, as Linux shuts it down', () => {
  const b = board();
  b.load(0, 0x34, 1193);
  b.run(10_000);
  b.out(0x43, 0x30);
  const edges = b.edges();
  b.run(1_000_000);
  assert.equal(b.edges(), edges);
});

test('mode 0: the first byte of a new count stops counting', () => {
  const b = board();
  b.load(0, 0x30, 1000);
  b.run(401);
  b.out(0x40, 0x10);
  b.run(5000);
  assert.equal(b.irq(), false);
  b.out(0x43, 0x00);
  assert.equal(b.count(0), 600);
  b.out(0x40, 0x00);
  b.run(17);
  assert.equal(b.irq(), true);
});

test('mode 4 strobes after the count, once, as Linux programs one-shot events', () => {
  const b = board();
  b.load(0, 0x38, 300);
  const before = b.edges();
  b.run(301);
  assert.equal(b.edges(), before);
  b.run(1);
  assert.equal(b.edges(), before + 1);
  b.run(100_000);
  assert.equal(b.edges(), before + 1);
  b.out(0x40, 0x2c);
  b.out(0x40, 0x01);
  b.run(302);
  assert.equal(b.edges(), before + 2, 'a new count triggers again without a control word');
});

test('mode 3: even counts fall by two, half high and half low', () => {
  const b = board();
  b.out(0x61, 0x01);
  b.load(2, 0x36, 8);
  b.skip(1);
  const seen = Array.from({ length: 9 }, () => {
    const pair = [b.count(2), b.out2()] as const;
    b.skip(1);
    return pair;
  });
  assert.deepEqual(seen, [
    [8, true],
    [6, true],
    [4, true],
    [2, true],
    [8, false],
    [6, false],
    [4, false],
    [2, false],
    [8, true],
  ]);
});

test('mode 3: odd counts as figure 18 of the datasheet draws them', () => {
  const b = board();
  b.out(0x61, 0x01);
  b.load(2, 0x36, 5);
  b.skip(1);
  const seen = Array.from({ length: 6 }, () => {
    const pair = [b.count(2), b.out2()] as const;
    b.skip(1);
    return pair;
  });
  assert.deepEqual(seen, [
    [5, true],
    [4, true],
    [2, true],
    [5, false],
    [2, false],
    [5, true],
  ]);
});

test('mode 3 on counter 0 is the BIOS tick of 18.2 Hz', () => {
  const b = board();
  b.load(0, 0x36, 0);
  const before = b.edges();
  b.run(hz * 10);
  assert.equal(b.edges() - before, 182);
});

test('modes 2 and 3 take a new count at the end of the (half-)cycle', () => {
  const b = board();
  b.load(0, 0x34, 1000);
  b.run(101);
  b.out(0x40, 50);
  b.out(0x40, 0);
  b.out(0x43, 0xc2);
  assert.equal(b.inb(0x40) & 0x40, 0x40, 'null count: not loaded yet');
  assert.equal(b.count(0), 900);
  const before = b.edges();
  b.run(900);
  assert.equal(b.edges(), before + 1);
  b.run(150);
  assert.equal(b.edges(), before + 4);

  b.out(0x61, 0x01);
  b.load(2, 0x36, 100);
  b.skip(11);
  b.out(0x42, 10);
  b.out(0x42, 0);
  b.skip(39);
  assert.equal(b.out2(), true);
  b.skip(1);
  assert.equal(b.out2(), false, 'the high half of 50 is over');
  b.skip(5);
  assert.equal(b.out2(), true, 'the low half is one of the new count');
});

test('counter 2 measures 50 ms through port 61h, as memtest86+ and Linux calibrate', () => {
  const b = board();
  b.out(0x61, 0x00);
  b.out(0x61, (b.inb(0x61) & ~0x02) | 0x01);
  b.load(2, 0x30, 59_659);
  assert.equal(b.out2(), false);
  b.skip(59_659);
  assert.equal(b.out2(), false);
  b.skip(1);
  assert.equal(b.out2(), true);
});

test('the gate holds counter 2 in mode 0 and restarts it in mode 2', () => {
  const b = board();
  b.load(2, 0x30, 100);
  b.skip(5000);
  assert.equal(b.count(2), 100, 'loaded, not counting: the gate is low');
  b.out(0x61, 1);
  b.skip(40);
  b.out(0x61, 0);
  b.skip(1000);
  assert.equal(b.count(2), 60);
  b.out(0x61, 1);
  b.skip(59);
  assert.equal(b.out2(), false);
  b.skip(1);
  assert.equal(b.out2(), true);

  b.load(2, 0x34, 100);
  b.skip(31);
  assert.equal(b.count(2), 70);
  b.out(0x61, 0);
  assert.equal(b.out2(), true);
  b.skip(500);
  b.out(0x61, 1);
  b.skip(1);
  assert.equal(b.count(2), 100);
});

test('modes 1 and 5 start on a rising gate, and again on the next', () => {
  const b = board();
  b.load(2, 0x32, 20);
  b.skip(100);
  assert.equal(b.out2(), true);
  b.out(0x61, 1);
  b.skip(1);
  assert.equal(b.out2(), false);
  b.skip(10);
  b.out(0x61, 0);
  b.out(0x61, 1);
  b.skip(20);
  assert.equal(b.out2(), false, 'retriggered');
  b.skip(1);
  assert.equal(b.out2(), true);

  b.out(0x61, 0);
  b.load(2, 0x3a, 20);
  b.out(0x61, 1);
  b.skip(20);
  assert.equal(b.out2(), true);
  b.skip(1);
  assert.equal(b.out2(), false);
  b.skip(1);
  assert.equal(b.out2(), true);
});

test('BCD counts in decimal', () => {
  const b = board();
  b.out(0x61, 1);
  b.load(2, 0x31, 0x1000);
  b.skip(2);
  assert.equal(b.count(2), 0x0999);
  b.load(2, 0x31, 0);
  b.skip(2);
  assert.equal(b.count(2), 0x9999, 'zero is 10,000');
  b.skip(9_999);
  assert.equal(b.out2(), true);
});

test('latches hold the count until it is read', () => {
  const b = board();
  b.load(0, 0x34, 10_000);
  b.skip(101);
  b.out(0x43, 0x00);
  b.skip(500);
  b.out(0x43, 0x00);
  assert.equal(b.count(0), 9_900, 'a second latch command does not replace the first');
  assert.equal(b.count(0), 9_400);
});

test('read-back latches status before count, of several counters', () => {
  const b = board();
  b.out(0x61, 1);
  b.load(0, 0x34, 10_000);
  b.out(0x43, 0xba);
  b.out(0x43, 0xc0 | 0x02 | 0x08);
  assert.equal(b.inb(0x40), 0x80 | 0x40 | 0x34, 'null count before the load');
  b.count(0);
  assert.equal(b.inb(0x42), 0x40 | 0x3a | 0x80);
  b.count(2);
  b.skip(11);
  b.out(0x43, 0xc2);
  b.skip(100);
  assert.equal(b.inb(0x40), 0x80 | 0x34);
  assert.equal(b.count(0), 9_990);
  b.out(0x43, 0xe2);
  assert.equal(b.inb(0x40), 0x80 | 0x34);
});

test('one-byte access modes', () => {
  const b = board();
  b.out(0x61, 1);
  b.out(0x43, 0x90);
  b.out(0x42, 0x80);
  b.skip(1);
  assert.equal(b.inb(0x42), 0x80);
  assert.equal(b.inb(0x42), 0x80);
  b.out(0x43, 0xa0);
  b.out(0x42, 0x80);
  b.skip(1);
  assert.equal(b.inb(0x42), 0x80);
  b.skip(1);
  assert.equal(b.inb(0x42), 0x7f);
});

test('the MSB of counter 2 falls every 256 ticks, which quick TSC calibration watches', () => {
  const b = board();
  b.out(0x61, 1);
  b.load(2, 0x30, 0xffff);
  b.skip(1);
  for (let msb = 0xff; msb > 0xc0; msb--) {
    b.inb(0x42);
    assert.equal(b.inb(0x42), msb);
    b.skip(256);
  }
});

test('port 61h: refresh toggles every 15 µs, the control port does not read', () => {
  const b = board();
  let toggles = 0;
  let last = b.inb(0x61) & 0x10;
  for (let i = 0; i < 1800; i++) {
    b.skip(1);
    const bit = b.inb(0x61) & 0x10;
    if (bit !== last) toggles++;
    last = bit;
  }
  assert.equal(toggles, 100);
  b.out(0x61, 0xff);
  assert.equal(b.inb(0x61) & 0xcf, 0x0f);
  assert.equal(b.inb(0x43), 0xff);
});

test('hostile programming keeps the timer quiet and bounded', () => {
  const b = board();
  for (const value of rubbish(7, 20_000)) {
    const port = [0x40, 0x41, 0x42, 0x43, 0x61][(value >>> 8) % 5] as number;
    b.out(port, value >>> 24);
    assert.ok(b.inb(port) <= 0xff);
    b.skip((value >>> 3) & 63);
    b.timers.runExpired();
    assert.ok(b.timers.nextDeadlineNs() > b.clock.nowNs());
  }
  b.load(0, 0x34, 1);
  assert.equal(b.timers.nextDeadlineNs(), Number.POSITIVE_INFINITY, 'a count of 1 is illegal and does nothing');
});

test('save and restore in the middle of everything', () => {
  const a = board();
  a.out(0x61, 3);
  a.load(0, 0x34, 1000);
  a.load(2, 0x36, 333);
  a.run(1234);
  a.out(0x43, 0xc8);
  a.out(0x40, 0x22);
  const b = board();
  b.skip(1234);
  b.pit.restore(structuredClone(a.pit.save()));
  assert.equal(b.irq(), a.irq());
  for (const board of [a, b]) board.out(0x40, 0x01);
  const [edgesA, edgesB] = [a.edges(), b.edges()];
  for (let i = 0; i < 40; i++) {
    for (const port of [0x40, 0x42, 0x61]) assert.equal(b.inb(port), a.inb(port));
    for (const board of [a, b]) board.run(97);
  }
  assert.equal(b.edges() - edgesB, a.edges() - edgesA);
  assert.ok(a.edges() > edgesA + 5);
  a.pit.reset();
  assert.equal(a.timers.nextDeadlineNs(), Number.POSITIVE_INFINITY);
});
