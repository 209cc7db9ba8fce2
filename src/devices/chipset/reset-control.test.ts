import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../device-model/port-io.ts';
import { ResetControl } from './reset-control.ts';

function board() {
  const ports = new PortBus();
  let resets = 0;
  const device = new ResetControl(() => {
    resets++;
  });
  device.attach(ports);
  return { ports, device, resets: () => resets };
}

test('02h then 06h resets, as Linux and the ACPI reset register do', () => {
  const { ports, resets } = board();
  ports.write(0xcf9, 1, 0x02);
  assert.equal(resets(), 0);
  ports.write(0xcf9, 1, 0x06);
  assert.equal(resets(), 1);
  ports.write(0xcf9, 1, 0x06);
  assert.equal(resets(), 1, 'no rising bit 2');
});

test('06h alone, and 0Eh, reset as well; the reserved bits do not stick', () => {
  const { ports, resets, device } = board();
  ports.write(0xcf9, 1, 0x0e);
  assert.equal(resets(), 1);
  device.reset();
  ports.write(0xcf9, 1, 0xff);
  assert.equal(resets(), 2);
  assert.equal(ports.read(0xcf9, 1), 0x0e);
});

test('save and restore keep bit 2, so that the next write still knows', () => {
  const a = board();
  a.ports.write(0xcf9, 1, 0x06);
  const b = board();
  b.device.restore(structuredClone(a.device.save()));
  for (const { ports } of [a, b]) ports.write(0xcf9, 1, 0x06);
  assert.equal(b.resets(), 0);
  for (const { ports } of [a, b]) ports.write(0xcf9, 1, 0x00);
  for (const { ports } of [a, b]) ports.write(0xcf9, 1, 0x04);
  assert.equal(b.resets(), 1);
  assert.equal(a.resets(), 2);
});
