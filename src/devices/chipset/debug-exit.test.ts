import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../device-model/port-io.ts';
import { DebugExit } from './debug-exit.ts';

test('a write of any width exits with its value, a read does nothing', () => {
  const ports = new PortBus();
  const exits: number[] = [];
  new DebugExit((value) => exits.push(value)).attach(ports);
  ports.write(0xf4, 1, 0x21);
  ports.write(0xf4, 4, 0xffff_fffe);
  assert.equal(ports.read(0xf4, 1), 0);
  assert.deepEqual(exits, [0x21, 0xffff_fffe]);
});

test('the port can be another one', () => {
  const ports = new PortBus();
  const exits: number[] = [];
  new DebugExit((value) => exits.push(value)).attach(ports, 0x501);
  ports.write(0xf4, 1, 1);
  ports.write(0x501, 1, 2);
  assert.deepEqual(exits, [2]);
});
