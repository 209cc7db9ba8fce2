import assert from 'node:assert/strict';
import { test } from 'node:test';
import { value } from '../support/testing/expect.ts';
import { openRaw } from './raw-disk.ts';
import { MemoryFile } from './testing/memory-file.ts';
import { type ThrottleClock, ThrottledDisk, type ThrottleLimits } from './throttled-disk.ts';

/** Time passes when somebody sleeps. */
class FakeClock implements ThrottleClock {
  #nowMs = 1000;

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number): Promise<void> {
    this.#nowMs += ms;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }
}

async function throttled(limits: ThrottleLimits): Promise<{ disk: ThrottledDisk; clock: FakeClock }> {
  const clock = new FakeClock();
  const raw = value(await openRaw(new MemoryFile('raw', new Uint8Array(8 << 20)), false));
  return { disk: new ThrottledDisk(raw, limits, clock), clock };
}

test('requests a second: after the burst they come at the rate', async () => {
  const { disk, clock } = await throttled({ iops: 100 });
  const start = clock.nowMs();
  const sector = new Uint8Array(512);
  await Promise.all(Array.from({ length: 10 }, () => disk.read(0, sector)));
  assert.equal(clock.nowMs(), start);
  await Promise.all(Array.from({ length: 100 }, () => disk.write(0, sector)));
  assert.ok(Math.abs(clock.nowMs() - start - 1000) < 1, String(clock.nowMs() - start));
});

test('bytes a second: a request larger than the burst gets through, and the rate is kept', async () => {
  const { disk, clock } = await throttled({ bps: 1 << 20 });
  const start = clock.nowMs();
  const order: string[] = [];
  const note = (name: string) => () => order.push(name);
  const large = disk.write(0, new Uint8Array(4 << 20)).then(note('large'));
  const small = Array.from({ length: 4 }, () => disk.read(0, new Uint8Array(4096)).then(note('small')));
  await Promise.all([large, ...small]);
  assert.equal(order[0], 'large');
  const seconds = (clock.nowMs() - start) / 1000;
  const bytes = (4 << 20) + 4 * 4096;
  assert.ok(seconds >= bytes / 2 ** 20 - 0.11 && seconds <= bytes / 2 ** 20 + 0.11, String(seconds));
});

test('a pause earns a burst and no more', async () => {
  const { disk, clock } = await throttled({ iops: 1000 });
  for (let i = 0; i < 200; i++) value(await disk.read(0, new Uint8Array(512)));
  clock.pass(60_000);
  const start = clock.nowMs();
  for (let i = 0; i < 1100; i++) value(await disk.read(0, new Uint8Array(512)));
  assert.ok(Math.abs(clock.nowMs() - start - 1000) < 2);
});

test('without limits nothing waits, and everything passes through', async () => {
  const { disk, clock } = await throttled({});
  const start = clock.nowMs();
  value(await disk.write(512, new Uint8Array(512).fill(3)));
  value(await disk.writeZeroes(512, 8, true));
  value(await disk.discard(1024, 512));
  value(await disk.flush());
  assert.equal(value(await disk.extent(0, 512)).kind, 'data');
  assert.deepEqual([disk.sizeBytes, disk.readOnly, disk.blockBytes], [8 << 20, false, 512]);
  value(await disk.resize(1 << 20));
  assert.equal(disk.sizeBytes, 1 << 20);
  value(await disk.close());
  assert.equal(clock.nowMs(), start);
});
