/**
 * Writes to an image until it is killed: `node kill-writer.ts IMAGE SEED SLOTS`. It tells on standard output, before it
 * asks for something, what that is ("start NUMBER SLOT ZERO"), and after a flush which requests that covered ("flushed
 * NUMBER,NUMBER…"); a line is out of the process before anything else happens.
 */
import { writeSync } from 'node:fs';
import { openImage } from '../../src/block/open-image.ts';
import { Qcow2Disk } from '../../src/block/qcow2/qcow2-disk.ts';
import { loadSnapshots } from '../../src/block/qcow2/snapshot/snapshot-table.ts';
import { deleteSnapshot, takeSnapshot } from '../../src/block/qcow2/snapshot/snapshots.ts';
import { performSlotRequest, type SlotRequest } from '../../src/block/testing/slot-disk.ts';
import { nodeImageHost } from '../../src/host/node/disk/image-host.ts';
import { value } from '../../src/support/testing/expect.ts';
import { Random } from '../oracle/random.ts';

const [path = '', seed, slotsText, snapshots] = process.argv.slice(2);
const slots = Number(slotsText);
const random = new Random(Number(seed), 0, 'writer');
const { disk } = value(await openImage(nodeImageHost(), path, { format: 'qcow2', readOnly: false }));
if (!(disk instanceof Qcow2Disk)) throw new Error('it is no qcow2 image');
const { image } = disk;

const busy = new Set<number>();
let answered: number[] = [];
let last = 0;

async function write(): Promise<void> {
  const slot = random.below(slots);
  if (busy.has(slot)) return;
  busy.add(slot);
  const request: SlotRequest = { slot, number: ++last, zero: random.chance(15) };
  writeSync(1, `start ${request.number} ${slot} ${request.zero}\n`);
  value(await performSlotRequest(disk, request));
  answered.push(request.number);
  busy.delete(slot);
}

async function flush(): Promise<void> {
  const covered = answered;
  answered = [];
  value(await disk.flush());
  writeSync(1, `flushed ${covered.join(',')}\n`);
}

async function changeSnapshots(): Promise<void> {
  const names = value(await loadSnapshots(image.file, image.header)).snapshots.map(({ name }) => name);
  if (names.length < 3) value(await takeSnapshot(image, `at ${last}`, 0));
  else value(await deleteSnapshot(image, random.pick(names)));
}

writeSync(1, 'ready\n');
for (;;) {
  const work = Array.from({ length: 1 + random.below(12) }, () => write());
  if (random.chance(20)) work.push(flush());
  if (snapshots === 'snapshots' && random.chance(10)) work.push(changeSnapshots());
  await Promise.all(work);
}
