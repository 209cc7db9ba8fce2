import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../device-model/port-io.ts';
import { rubbish, TestLine } from '../testing/test-board.ts';
import { IsaBridge } from './isa-bridge.ts';
import { PciHost } from './pci-host.ts';

function board() {
  const ports = new PortBus();
  const irqs = Array.from({ length: 16 }, () => new TestLine());
  const bridge = new IsaBridge((irq) => irqs[irq] as TestLine);
  const host = new PciHost([bridge.pirq(0), bridge.pirq(1), bridge.pirq(2), bridge.pirq(3)]);
  host.attach(ports);
  host.add(1, 0, bridge.pciFunction);
  const register = (offset: number) => {
    ports.write(0xcf8, 4, (0x8000_0800 | (offset & 0xfc)) >>> 0);
    return 0xcfc + (offset & 3);
  };
  const read = (offset: number) => ports.read(register(offset), 1);
  const write = (offset: number, value: number) => ports.write(register(offset), 1, value);
  const up = () => irqs.flatMap((line, irq) => (line.level ? [irq] : []));
  return { bridge, host, read, write, up, ports, register };
}

test('a PIIX3 ISA bridge with unrouted PIRQs', () => {
  const { ports, register, read } = board();
  assert.equal(ports.read(register(0), 4), 0x7000_8086);
  assert.equal(read(0x0b), 0x06);
  assert.equal(read(0x0a), 0x01);
  assert.deepEqual([0x60, 0x61, 0x62, 0x63].map(read), [0x80, 0x80, 0x80, 0x80]);
});

test('PIRQs reach the interrupts that they are routed to, and share them', () => {
  const { bridge, host, read, up, write } = board();
  bridge.programRoutes([10, 10, 11, 0]);
  assert.deepEqual([0x60, 0x61, 0x62, 0x63].map(read), [10, 10, 11, 0x80]);
  const a = host.interruptLine(1, 1);
  const b = host.interruptLine(2, 1);
  const d = host.interruptLine(4, 1);
  a.set(true);
  b.set(true);
  d.set(true);
  assert.deepEqual(up(), [10]);
  a.set(false);
  assert.deepEqual(up(), [10]);
  write(0x61, 5);
  assert.deepEqual(up(), [5], 'the level moves along');
  write(0x61, 0x85);
  assert.deepEqual(up(), []);
});

test('interrupts that may not be routed to stay untouched', () => {
  const { host, up, write } = board();
  host.interruptLine(1, 1).set(true);
  for (const irq of [0, 1, 2, 8, 13]) {
    write(0x60, irq);
    assert.deepEqual(up(), []);
  }
  write(0x60, 0x7f);
  assert.deepEqual(up(), [15], 'reserved bits do not count');
});

test('the passive release quirk of Linux finds its register', () => {
  const { read, write } = board();
  assert.equal(read(0x82) & 0x02, 0);
  write(0x82, read(0x82) | 0x02);
  assert.equal(read(0x82) & 0x02, 0x02);
});

test('rubbish in the routes, then save and restore', () => {
  const a = board();
  const pins = [1, 2, 3, 4].map((device) => a.host.interruptLine(device, 1));
  for (const value of rubbish(37, 5_000)) {
    a.write(0x60 + (value & 3), (value >>> 8) & 0xff);
    pins[(value >>> 4) & 3]?.set((value & 0x1_0000) !== 0);
  }
  a.bridge.programRoutes([9, 10, 11, 12]);
  pins[0]?.set(true);
  pins[1]?.set(false);
  pins[2]?.set(true);
  pins[3]?.set(false);
  const b = board();
  b.bridge.restore(structuredClone(a.bridge.save()));
  assert.deepEqual(a.up(), [9, 11]);
  assert.deepEqual(b.up(), a.up());
  b.write(0x62, 5);
  assert.deepEqual(b.up(), [5, 9]);
  b.bridge.reset();
  assert.deepEqual(b.up(), []);
});
