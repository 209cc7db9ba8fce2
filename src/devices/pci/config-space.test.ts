import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigSpace } from './config-space.ts';

test('writes reach writable bits, ones clear clearable bits, the rest stays', () => {
  const config = new ConfigSpace();
  config.set(0x04, 4, 0xabcd_1234);
  config.allowWrite(0x04, 2, 0x00ff);
  config.allowClear(0x06, 2, 0xf000);
  config.write(0x04, 4, 0x3000_ffff);
  assert.equal(config.read(0x04, 4), 0x8bcd_12ff);
  config.write(0x05, 1, 0x00);
  config.write(0x04, 1, 0x00);
  assert.equal(config.read(0x04, 2), 0x1200);
  assert.equal(config.read(0x07, 1), 0x8b);
});

test('the end of the space is the end', () => {
  const config = new ConfigSpace();
  config.allowWrite(0xff, 1, 0xff);
  config.write(0xff, 4, 0xffff_ff55);
  assert.equal(config.read(0xff, 4), 0xffff_ff55);
  assert.equal(config.read(0x100, 2), 0xffff);
});

test('reset brings back what was frozen, restore what was saved', () => {
  const config = new ConfigSpace();
  config.allowWrite(0x40, 1, 0xff);
  config.set(0x40, 1, 7);
  config.freeze();
  config.write(0x40, 1, 9);
  const saved = config.save();
  config.reset();
  assert.equal(config.read(0x40, 1), 7);
  config.restore(saved);
  assert.equal(config.read(0x40, 1), 9);
});
