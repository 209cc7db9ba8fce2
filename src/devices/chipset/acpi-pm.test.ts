import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessSize } from '../../device-model/port-io.ts';
import { rubbish, TestBoard, TestLine } from '../testing/test-board.ts';
import { AcpiPm } from './acpi-pm.ts';

const base = 0x600;
const second = 1_000_000_000;

function board(bits: 24 | 32 = 32) {
  const host = new TestBoard();
  const sci = new TestLine();
  let powerOffs = 0;
  const pm = new AcpiPm(
    {
      timers: host.timers,
      sci,
      powerOff: () => {
        powerOffs++;
      },
    },
    bits,
  );
  pm.attach(host.ports, base);
  const inw = (offset: number) => host.ports.read(base + offset, 2);
  const outw = (offset: number, value: number) => host.ports.write(base + offset, 2, value);
  const timer = () => host.ports.read(base + 8, 4);
  return { host, pm, sci, inw, outw, timer, powerOffs: () => powerOffs, run: (ns: number) => host.run(ns) };
}

test('the PM timer runs at 3.579545 MHz and wraps at its width', () => {
  const b = board();
  b.run(second);
  assert.equal(b.timer(), 3_579_545);
  const c = board(24);
  c.run(10 * second);
  assert.equal(c.timer(), 35_795_450 % 2 ** 24);
  assert.equal(c.host.ports.read(base + 11, 1), 0, 'the fourth byte of a 24-bit timer');
  b.run(1300 * second);
  assert.equal(b.timer(), (1301 * 3_579_545) % 2 ** 32);
  b.host.ports.write(base + 8, 4, 0);
  assert.notEqual(b.timer(), 0, 'read-only');
});

test('bytes of the timer are bytes of the timer', () => {
  const b = board();
  b.run(700 * second);
  const value = b.timer();
  const bytes = [8, 9, 10, 11].map((offset) => b.host.ports.read(base + offset, 1));
  assert.deepEqual(bytes, [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24]);
});

test('SCI_EN is on from the start and cannot be switched off', () => {
  const b = board();
  assert.equal(b.inw(4) & 1, 1);
  b.outw(4, 0);
  assert.equal(b.inw(4), 1);
});

test('S5 as Linux enters it: SLP_TYP first, then SLP_EN', () => {
  const b = board();
  b.outw(4, 0x0001 | (5 << 10));
  assert.equal(b.powerOffs(), 0);
  b.outw(4, 0x2001 | (5 << 10));
  assert.equal(b.powerOffs(), 1);
  assert.equal(b.inw(4), 0x1401, 'SLP_EN reads as zero');
});

test('other sleep types do nothing; a byte write counts as well', () => {
  const b = board();
  for (const type of [0, 1, 2, 3, 4, 6, 7]) b.outw(4, 0x2001 | (type << 10));
  assert.equal(b.powerOffs(), 0);
  b.host.out(base + 4, 0x01);
  b.host.out(base + 5, 0x34);
  assert.equal(b.powerOffs(), 1);
});

test('the power button raises the SCI once it is enabled, until the status is cleared', () => {
  const b = board();
  b.pm.pressPowerButton();
  assert.equal(b.sci.level, false);
  assert.equal(b.inw(0), 0x0100);
  b.outw(2, 0x0100);
  assert.equal(b.sci.level, true);
  b.outw(0, 0x0001);
  assert.equal(b.sci.level, true, 'another bit');
  b.outw(0, 0x0100);
  assert.equal(b.sci.level, false);
  assert.equal(b.inw(0), 0);
  assert.equal(b.inw(2), 0x0100);
});

test('TMR_STS comes with every change of the top bit', () => {
  const b = board(24);
  const half = Math.ceil((2 ** 23 * second) / 3_579_545);
  b.outw(2, 0x0001);
  b.run(half - 1000);
  assert.equal(b.sci.level, false);
  b.run(1000);
  assert.equal(b.sci.level, true);
  b.outw(0, 0x0001);
  assert.equal(b.sci.level, false);
  b.run(half);
  assert.equal(b.sci.level, true);
  b.outw(0, 0x0001);
  b.outw(2, 0);
  b.run(half);
  assert.equal(b.sci.level, false);
  assert.equal(b.inw(0), 1, 'the status shows without the enable');
});

test('a 32-bit access covers status and enable', () => {
  const b = board();
  b.host.ports.write(base, 4, 0x0120_0000);
  assert.equal(b.host.ports.read(base, 4), 0x0120_0000);
});

test('rubbish at any offset and width is survived', () => {
  const b = board();
  for (const value of rubbish(17, 20_000)) {
    const size = [1, 2, 4][(value >>> 4) % 3] as AccessSize;
    b.host.ports.write(base + (value & 15), size, (value * 2_654_435_761) >>> 0);
    const read = b.host.ports.read(base + ((value >>> 8) & 15), size);
    assert.ok(read >= 0 && read < 2 ** (8 * size));
    b.host.clock.advance((value >>> 12) * 100);
    b.host.timers.runExpired();
  }
});

test('save and restore', () => {
  const a = board(24);
  a.outw(2, 0x0101);
  a.outw(4, 0x1402);
  a.run(2 * second);
  const b = board(24);
  b.host.clock.advance(2 * second);
  b.pm.restore(structuredClone(a.pm.save()));
  for (let i = 0; i < 5; i++) {
    for (const offset of [0, 2, 4, 8]) assert.equal(b.inw(offset), a.inw(offset));
    assert.equal(b.sci.level, a.sci.level);
    for (const board of [a, b]) board.run(second / 2);
  }
  assert.equal(a.sci.level, true);
  a.pm.reset();
  assert.equal(a.sci.level, false);
  assert.equal(a.inw(2), 0);
});
