import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../device-model/port-io.ts';
import { TestLine } from '../testing/test-board.ts';
import { SystemControlA } from './system-control-a.ts';

function board() {
  const ports = new PortBus();
  const a20 = new TestLine();
  let resets = 0;
  const device = new SystemControlA(a20, () => {
    resets++;
  });
  device.attach(ports);
  return { ports, a20, device, resets: () => resets };
}

test('bit 1 is A20, as boot code switches it', () => {
  const { ports, a20, resets } = board();
  assert.equal(ports.read(0x92, 1), 0);
  ports.write(0x92, 1, ports.read(0x92, 1) | 2);
  assert.equal(a20.level, true);
  assert.equal(ports.read(0x92, 1), 2);
  ports.write(0x92, 1, 0xfc);
  assert.equal(a20.level, false);
  assert.equal(ports.read(0x92, 1), 0);
  assert.equal(resets(), 0);
});

test('a rising bit 0 resets', () => {
  const { ports, resets } = board();
  ports.write(0x92, 1, 0xff);
  ports.write(0x92, 1, 0x01);
  assert.equal(resets(), 1);
  ports.write(0x92, 1, 0x00);
  ports.write(0x92, 1, 0x01);
  assert.equal(resets(), 2);
});

test('save and restore drive A20 again', () => {
  const a = board();
  a.ports.write(0x92, 1, 3);
  const b = board();
  b.device.restore(structuredClone(a.device.save()));
  assert.equal(b.a20.level, true);
  b.ports.write(0x92, 1, 3);
  assert.equal(b.resets(), 0, 'bit 0 was set before');
  b.device.reset();
  assert.equal(b.a20.level, false);
});
