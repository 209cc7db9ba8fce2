import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../tests/oracle/random.ts';
import { value } from '../../support/testing/expect.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { MemoryFile } from '../testing/memory-file.ts';
import { noCodecs } from '../testing/no-codecs.ts';
import { performSlotRequest, SlotModel, type SlotRequest, slotBytes } from '../testing/slot-disk.ts';
import { checkQcow2 } from './check/check.ts';
import { createQcow2, type Qcow2CreateOptions } from './create.ts';
import { Qcow2Image, readHeader } from './image.ts';
import { Qcow2Disk } from './qcow2-disk.ts';

const slots = 400;
const sizeBytes = Math.ceil((slots * slotBytes) / 512) * 512;

async function create(options: Omit<Qcow2CreateOptions, 'sizeBytes'>): Promise<MemoryFile> {
  const file = new MemoryFile('image');
  value(await new Qcow2Disk(value(await createQcow2(file, noCodecs, { ...options, sizeBytes }))).close());
  return file;
}

async function judge(file: MemoryFile, model: SlotModel): Promise<void> {
  const { errors, problems } = value(await checkQcow2(file, { repair: 'none' }));
  assert.equal(errors, 0, problems.join('; '));
  const header = value(await readHeader(file));
  const image = value(await Qcow2Image.open({ file, codecs: noCodecs, header, readOnly: true }));
  const disk = new Qcow2Disk(image);
  const bytes = new Uint8Array(slotBytes);
  for (let slot = 0; slot < slots; slot++) {
    value(await disk.read(slot * slotBytes, bytes));
    assert.equal(model.judge(slot, bytes) ?? 'right', 'right');
  }
}

/** One request a slot at a time, many at once. @returns those that succeeded, and how many did not */
async function perform(
  disk: Qcow2Disk,
  model: SlotModel,
  random: Random,
  first: number,
): Promise<{ succeeded: SlotRequest[]; failed: number }> {
  const chosen = new Set(Array.from({ length: 1 + random.below(20) }, () => random.below(slots)));
  let failed = 0;
  const succeeded: SlotRequest[] = [];
  await Promise.all(
    [...chosen].map(async (slot, index) => {
      const request: SlotRequest = { slot, number: first + index, zero: random.chance(20) };
      model.started(request);
      const result = await performSlotRequest(disk, request);
      if (result.ok) succeeded.push(request);
      else failed++;
    }),
  );
  return { succeeded, failed };
}

for (const clusterBytes of [512, 4096]) {
  test(`caches that hold next to nothing, clusters of ${clusterBytes} bytes`, async () => {
    const file = await create({ clusterBytes });
    const header = value(await readHeader(file));
    const caches = { l2CacheBytes: 0, refcountCacheBytes: 0 };
    const disk = new Qcow2Disk(
      value(await Qcow2Image.open({ file, codecs: noCodecs, header, readOnly: false, ...caches })),
    );
    const model = new SlotModel(slots);
    const random = new Random(1, clusterBytes, 'caches');
    for (let round = 0; round < 60; round++) {
      const { succeeded, failed } = await perform(disk, model, random, round * 100 + 1);
      assert.equal(failed, 0);
      model.flushed(succeeded);
    }
    value(await disk.close());
    await judge(file, model);
  });

  test(`a host that often fails, clusters of ${clusterBytes} bytes`, async () => {
    const file = await create({ clusterBytes });
    const header = value(await readHeader(file));
    const disk = new Qcow2Disk(value(await Qcow2Image.open({ file, codecs: noCodecs, header, readOnly: false })));
    const model = new SlotModel(slots);
    const random = new Random(2, clusterBytes, 'failures');
    const noSpace: DiskFailure = { kind: 'no-space', message: 'the file system is full.' };
    let failures = 0;
    for (let round = 0; round < 120; round++) {
      // Times of trouble and of peace.
      const percent = round % 3 === 2 ? 30 : round % 3 === 1 ? 3 : 0;
      file.onCall = (call) => (call !== 'read' && random.chance(percent) ? noSpace : undefined);
      const { succeeded, failed } = await perform(disk, model, random, round * 100 + 1);
      failures += failed;
      const flushed = await disk.flush();
      if (flushed.ok) model.flushed(succeeded);
      else assert.equal(flushed.error.kind, 'no-space');
    }
    assert.ok(failures > 20, String(failures));
    file.onCall = () => undefined;
    value(await disk.close());
    await judge(file, model);
  });
}

test('after a flush that failed, the next one brings everything', async () => {
  const file = await create({});
  const header = value(await readHeader(file));
  const disk = new Qcow2Disk(value(await Qcow2Image.open({ file, codecs: noCodecs, header, readOnly: false })));
  value(await disk.write(0, new Uint8Array(5000).fill(1)));
  file.onCall = (call) => (call === 'write' ? { kind: 'io', message: 'the medium reports an error.' } : undefined);
  assert.equal((await disk.flush()).ok, false);
  file.onCall = () => undefined;
  value(await disk.flush());
  const left = new MemoryFile('left', file.bytes());
  const { errors, leaks } = value(await checkQcow2(left, { repair: 'none' }));
  assert.deepEqual([errors, leaks], [0, 0]);
  value(await disk.close());
  assert.ok(file.closed);
});
