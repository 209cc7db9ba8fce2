import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestLine } from '../testing/test-board.ts';
import { IrqSwitch } from './irq-switch.ts';

test('only the connected source drives the wire, and its level shows when it is connected', () => {
  const line = new TestLine();
  const irq0 = new IrqSwitch(line);
  irq0.normal.set(true);
  assert.equal(line.level, true);
  irq0.replace(true);
  assert.equal(line.level, false);
  irq0.normal.set(false);
  irq0.normal.set(true);
  assert.equal(line.level, false);
  irq0.replacement.set(true);
  assert.equal(line.level, true);
  irq0.replacement.set(false);
  irq0.replace(false);
  assert.equal(line.level, true);
});
