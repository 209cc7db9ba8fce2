import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../device-model/port-io.ts';
import { TestBoard, TestLine } from '../testing/test-board.ts';
import { Pic } from './pic.ts';
import { PicChip } from './pic-chip.ts';
import { Pit } from './pit.ts';

/** A board with a PIC pair, initialized as Linux does: vectors 30h and 38h, nothing masked. */
function board(masterIcw4 = 0x01, slaveIcw4 = 0x01) {
  let intr = false;
  const ports = new PortBus();
  const pic = new Pic({
    set: (level) => {
      intr = level;
    },
  });
  pic.attach(ports);
  const out = (port: number, value: number) => ports.write(port, 1, value);
  const inb = (port: number) => ports.read(port, 1);
  out(0x20, 0x11);
  out(0x21, 0x30);
  out(0x21, 0x04);
  out(0x21, masterIcw4);
  out(0xa0, 0x11);
  out(0xa1, 0x38);
  out(0xa1, 0x02);
  out(0xa1, slaveIcw4);
  return {
    pic,
    out,
    inb,
    intr: () => intr,
    raise: (n: number) => pic.irq(n).set(true),
    lower: (n: number) => pic.irq(n).set(false),
  };
}

test('nothing interrupts before the initialization words', () => {
  let intr = false;
  const ports = new PortBus();
  const pic = new Pic({
    set: (level) => {
      intr = level;
    },
  });
  pic.attach(ports);
  pic.irq(0).set(true);
  ports.write(0x21, 1, 0xfb);
  assert.equal(ports.read(0x21, 1), 0xfb, 'the mask is a register from the start: that is how Linux probes for a PIC');
  ports.write(0x21, 1, 0);
  assert.equal(intr, false);
});

test('an edge raises INTR, is served once and needs a new edge', () => {
  const { pic, out, inb, intr, raise, lower } = board();
  raise(4);
  assert.equal(intr(), true);
  assert.equal(inb(0x20), 0x10, 'IRR');
  assert.equal(pic.acknowledge(), 0x34);
  assert.equal(intr(), false);
  out(0x20, 0x0b);
  assert.equal(inb(0x20), 0x10, 'ISR');
  out(0x20, 0x0a);
  assert.equal(inb(0x20), 0, 'IRR');
  out(0x20, 0x20);
  assert.equal(intr(), false, 'the line is still high, but no new edge came');
  lower(4);
  raise(4);
  assert.equal(intr(), true);
});

test('an edge that comes during service waits for the EOI', () => {
  const { pic, out, intr, raise, lower } = board();
  raise(1);
  assert.equal(pic.acknowledge(), 0x31);
  lower(1);
  raise(1);
  assert.equal(intr(), false);
  out(0x20, 0x61);
  assert.equal(intr(), true);
});

test('a level request returns after EOI for as long as the line is high', () => {
  const { pic, out, inb, intr, raise, lower } = board();
  out(0x4d1, 0xff);
  assert.equal(inb(0x4d1), 0xde, 'IRQ 8 and 13 stay edge-triggered');
  out(0x4d0, 0xff);
  assert.equal(inb(0x4d0), 0xf8, 'IRQ 0, 1 and 2 stay edge-triggered');
  raise(11);
  assert.equal(pic.acknowledge(), 0x3b);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  assert.equal(intr(), true);
  assert.equal(pic.acknowledge(), 0x3b);
  lower(11);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  assert.equal(intr(), false);
});

test('a higher request nests, a lower one waits', () => {
  const { pic, out, intr, raise } = board();
  raise(5);
  assert.equal(pic.acknowledge(), 0x35);
  raise(6);
  assert.equal(intr(), false);
  raise(3);
  assert.equal(pic.acknowledge(), 0x33);
  out(0x20, 0x20);
  assert.equal(intr(), false, 'IRQ5 is still in service');
  out(0x20, 0x20);
  assert.equal(pic.acknowledge(), 0x36);
});

test('the slave answers with its own vector, ahead of IRQ3…7', () => {
  const { pic, out, inb, raise } = board();
  raise(3);
  raise(14);
  assert.equal(pic.acknowledge(), 0x3e);
  out(0x20, 0x0b);
  out(0xa0, 0x0b);
  assert.equal(inb(0x20), 0x04);
  assert.equal(inb(0xa0), 0x40);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  assert.equal(pic.acknowledge(), 0x33);
});

test('two slave requests one after the other both arrive', () => {
  const { pic, out, intr, raise } = board();
  raise(9);
  raise(12);
  assert.equal(pic.acknowledge(), 0x39);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  assert.equal(intr(), true);
  assert.equal(pic.acknowledge(), 0x3c);
});

test('a higher slave request reaches the master again although its predecessor is in service', () => {
  const { pic, out, intr, raise } = board(0x11);
  raise(12);
  assert.equal(pic.acknowledge(), 0x3c);
  raise(9);
  assert.equal(intr(), true, 'special fully nested mode');
  assert.equal(pic.acknowledge(), 0x39);
  out(0xa0, 0x20);
  raise(15);
  assert.equal(intr(), false, 'IRQ15 is below IRQ12');
});

test('without special fully nested mode the slave waits for the master', () => {
  const { pic, out, intr, raise } = board();
  raise(12);
  assert.equal(pic.acknowledge(), 0x3c);
  raise(9);
  assert.equal(intr(), false);
  out(0x20, 0x20);
  assert.equal(intr(), true);
  assert.equal(pic.acknowledge(), 0x39);
});

test('a request that vanishes before the acknowledge is a spurious IRQ7 without ISR bit', () => {
  const { pic, out, inb, raise, lower } = board();
  raise(5);
  lower(5);
  assert.equal(pic.acknowledge(), 0x37);
  out(0x20, 0x0b);
  assert.equal(inb(0x20), 0);
});

test('a slave with nothing to say answers as its input 7, which makes a spurious IRQ15', () => {
  const slave = new PicChip(false);
  slave.writeCommand(0x13);
  slave.writeData(0x38);
  slave.writeData(0x01);
  assert.equal(slave.vector(slave.take()), 0x3f);
});

test('a real IRQ7 can be told from a spurious one by its ISR bit', () => {
  const { pic, out, inb, raise } = board();
  raise(7);
  assert.equal(pic.acknowledge(), 0x37);
  out(0x20, 0x0b);
  assert.equal(inb(0x20), 0x80);
});

test('masking hides a request, unmasking shows it again', () => {
  const { out, inb, intr, raise } = board();
  out(0x21, 0x01);
  raise(0);
  assert.equal(intr(), false);
  assert.equal(inb(0x20), 0x01, 'IRR shows masked requests');
  out(0x21, 0x00);
  assert.equal(intr(), true);
  assert.equal(inb(0x21), 0x00);
});

test('special mask mode lets lower levels through a masked one in service', () => {
  const { pic, out, inb, intr, raise } = board();
  raise(3);
  pic.acknowledge();
  raise(6);
  out(0x21, 0x08);
  assert.equal(intr(), false);
  out(0x20, 0x68);
  assert.equal(intr(), true);
  assert.equal(pic.acknowledge(), 0x36);
  out(0x20, 0x20);
  out(0x20, 0x0b);
  assert.equal(inb(0x20), 0x08, 'a non-specific EOI leaves the masked level in service');
  out(0x20, 0x20);
  assert.equal(inb(0x20), 0x08);
  out(0x20, 0x63);
  assert.equal(inb(0x20), 0x00);
  out(0x20, 0x48);
});

test('priorities rotate', () => {
  const { pic, out, raise, lower } = board();
  out(0x20, 0xc4);
  raise(4);
  raise(5);
  assert.equal(pic.acknowledge(), 0x35, 'IRQ4 is lowest, IRQ5 highest');
  out(0x20, 0xa0);
  lower(5);
  raise(5);
  raise(6);
  assert.equal(pic.acknowledge(), 0x36, 'rotate on EOI made IRQ5 the lowest');
  out(0x20, 0xe6);
  assert.equal(pic.acknowledge(), 0x34, 'specific rotation made IRQ6 the lowest');
});

test('automatic EOI leaves nothing in service, and can rotate', () => {
  const { pic, out, inb, intr, raise, lower } = board(0x03);
  raise(1);
  assert.equal(pic.acknowledge(), 0x31);
  out(0x20, 0x0b);
  assert.equal(inb(0x20), 0);
  out(0x20, 0x80);
  raise(0);
  assert.equal(pic.acknowledge(), 0x30);
  lower(0);
  raise(0);
  lower(1);
  raise(1);
  assert.equal(pic.acknowledge(), 0x31, 'IRQ0 became the lowest');
  assert.equal(intr(), true);
  out(0x20, 0x00);
});

test('poll mode acknowledges by reading', () => {
  const { out, inb, intr, raise } = board();
  raise(6);
  raise(10);
  out(0x20, 0x0c);
  assert.equal(inb(0x20), 0x82, 'the cascade comes first');
  out(0xa0, 0x0c);
  assert.equal(inb(0xa0), 0x82);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  out(0x20, 0x0c);
  assert.equal(inb(0x21), 0x86, 'either port answers');
  assert.equal(inb(0x21), 0, 'the next read is the mask again');
  assert.equal(intr(), false);
  out(0x20, 0x20);
  out(0x20, 0x0c);
  assert.equal(inb(0x20), 0, 'nothing pending');
});

test('ICW1 clears mask and service, and a line that is high needs a new edge', () => {
  const { pic, out, inb, intr, raise, lower } = board();
  raise(2);
  raise(6);
  pic.acknowledge();
  out(0x21, 0xff);
  out(0x20, 0x13);
  assert.equal(inb(0x21), 0);
  out(0x21, 0x77);
  assert.equal(intr(), false, 'still waiting for ICW4');
  out(0x21, 0x01);
  assert.equal(intr(), false);
  lower(6);
  raise(6);
  assert.equal(pic.acknowledge(), 0x76, 'the low three bits of ICW2 do not count');
});

test('every tick of a PIT arrives, however late within its period the guest takes it', () => {
  const base = new TestBoard();
  const intr = new TestLine();
  const pic = new Pic(intr);
  pic.attach(base.ports);
  new Pit(base.timers, pic.irq(0)).attach(base.ports);
  for (const [port, value] of [
    [0x20, 0x13],
    [0x21, 0x30],
    [0x21, 0x01],
    [0x43, 0x34],
    [0x40, 0xa9],
    [0x40, 0x04],
  ] as const) {
    base.out(port, value);
  }
  let ticks = 0;
  for (let ns = 0; ns < 1_000_000_000; ns += 130_000) {
    base.run(130_000);
    if (!intr.level) continue;
    assert.equal(pic.acknowledge(), 0x30);
    base.run(40_000);
    base.out(0x20, 0x20);
    ns += 40_000;
    ticks++;
  }
  assert.ok(ticks >= 1000 && ticks <= 1002, `${ticks} ticks of 1193/1193182 s in a second, and OUT high at the start`);
});

test('any byte at any port is survived, and the pair can be initialized afterwards', () => {
  const { pic, out, inb, raise } = board();
  let seed = 1;
  for (let i = 0; i < 20_000; i++) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    const port = [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1][(seed >>> 8) % 6] as number;
    out(port, seed >>> 24);
    pic.irq((seed >>> 4) & 15).set((seed & 0x1000) !== 0);
    const vector = pic.acknowledge();
    assert.ok(vector >= 0 && vector <= 0xff);
    assert.ok(inb(port) <= 0xff);
  }
  for (let n = 0; n < 16; n++) pic.irq(n).set(false);
  out(0x4d0, 0);
  out(0x20, 0x13);
  out(0x21, 0x40);
  out(0x21, 0x01);
  raise(3);
  assert.equal(pic.acknowledge(), 0x43);
});

test('save and restore keep requests, service, masks and priorities', () => {
  const a = board();
  a.out(0x4d1, 0x08);
  a.out(0x20, 0xc2);
  a.out(0xa1, 0x02);
  a.raise(11);
  a.pic.acknowledge();
  a.raise(9);
  a.raise(4);
  const b = board();
  b.pic.restore(structuredClone(a.pic.save()));
  assert.equal(b.intr(), a.intr());
  for (const { out } of [a, b]) {
    out(0xa0, 0x20);
    out(0x20, 0x20);
    out(0xa1, 0x00);
  }
  for (const port of [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1]) assert.equal(b.inb(port), a.inb(port));
  for (let i = 0; i < 4; i++) {
    assert.equal(b.pic.acknowledge(), a.pic.acknowledge());
    for (const { out } of [a, b]) {
      out(0xa0, 0x20);
      out(0x20, 0x20);
    }
  }
  a.pic.reset();
  assert.equal(a.intr(), false);
});
