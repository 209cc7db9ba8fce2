import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FreeSpace } from './free-space.ts';
import { buildMemoryMap, writeBiosDataArea } from './memory-map.ts';
import { guestMemory, mib } from './testing/guest.ts';

describe('memory map', () => {
  it('leaves out the EBDA, the video memory and the firmware region', () => {
    assert.deepEqual(buildMemoryMap(guestMemory(64 * mib)), [
      { start: 0, length: 0x9_fc00, type: 1 },
      { start: 0x9_fc00, length: 0x400, type: 2 },
      { start: 0xe_0000, length: 0x2_0000, type: 2 },
      { start: 0x10_0000, length: 63 * mib, type: 1 },
    ]);
  });

  it('puts what is beyond 3 GiB of RAM at 4 GiB', () => {
    const fake = { size: 3584 * mib, lowSize: 3072 * mib } as Parameters<typeof buildMemoryMap>[0];
    assert.deepEqual(buildMemoryMap(fake).slice(3), [
      { start: 0x10_0000, length: 3071 * mib, type: 1 },
      { start: 0x1_0000_0000, length: 512 * mib, type: 1 },
    ]);
  });

  it('tells old software where conventional memory ends', () => {
    const memory = guestMemory(mib);
    writeBiosDataArea(memory);
    assert.equal(memory.readU16(0x40e), 0x9fc0);
    assert.equal(memory.readU16(0x413), 639);
  });
});

describe('free space', () => {
  const space = (): FreeSpace =>
    new FreeSpace([
      { start: 0, length: 0x1_0000, type: 1 },
      { start: 0x1_0000, length: 0x1_0000, type: 2 },
      { start: 0x2_0000, length: 0x1_0000, type: 1 },
      { start: 0x1_0000_0000, length: 0x1_0000, type: 1 },
    ]);

  it('gives lowest and highest room, aligned, never twice, never page 0', () => {
    const free = space();
    assert.equal(free.takeLowest(0x100, 0x1000), 0x1000);
    assert.equal(free.takeLowest(0x100, 0x1000), 0x2000);
    assert.equal(free.takeHighest(0x100, 0x1000, 0x1_0000_0000), 0x2_f000);
    assert.equal(free.takeHighest(0x100, 0x1000, 0x2_f000), 0x2_e000);
    assert.equal(free.takeLowest(0xe001, 0x1000), undefined);
    assert.equal(free.takeLowest(0xe000, 0x1000), 0x2_0000);
    assert.equal(free.takeHighest(0x1000, 0x1000, 0x1000), undefined);
    assert.equal(free.isFree(0x1_0000_0000, 1), false, 'above 4 GiB is out of reach');
  });

  it('splits what it gives from', () => {
    const free = space();
    free.take(0x4000, 0x1000);
    assert.equal(free.isFree(0x3000, 0x1000), true);
    assert.equal(free.isFree(0x3fff, 2), false);
    assert.equal(free.isRam(0x3fff, 2), true);
    assert.equal(free.isFree(0x5000, 0xb000), true);
    assert.equal(free.isFree(0x5000, 0xb001), false);
  });
});
