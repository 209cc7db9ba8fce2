import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { ApicBox, allocateApicMail } from './apic-mail.ts';
import type { ApicWorkerData } from './testing/apic-worker.ts';

const words = (count: number): SharedArrayBuffer => new SharedArrayBuffer(count * 4);

it('every interrupt between processors on threads of their own is handled once', { timeout: 120_000 }, async ({
  signal,
}) => {
  const ids = [0, 1, 2, 3];
  const [lanes, rounds] = [48, 100];
  const count = ids.length;
  const shared = {
    mail: allocateApicMail(ids),
    ids,
    lanes,
    rounds,
    bells: words(count + 2),
    pending: words(count * count * lanes),
    handled: words(count * count * lanes),
    unasked: words(1),
  };
  const statuses = await Promise.all(
    ids.map(
      (_, processor) =>
        new Promise<number>((resolve, reject) => {
          const workerData: ApicWorkerData = { ...shared, processor };
          const worker = new Worker(new URL('./testing/apic-worker.ts', import.meta.url), { workerData });
          // A lost message makes them wait for ever.
          signal.addEventListener('abort', () => void worker.terminate());
          worker.on('error', reject);
          worker.on('exit', resolve);
        }),
    ),
  );
  assert.deepEqual(statuses, [0, 0, 0, 0]);
  assert.deepEqual(
    [...new Int32Array(shared.handled)],
    ids.flatMap((receiver) => ids.flatMap((sender) => new Array(lanes).fill(sender === receiver ? 0 : rounds))),
  );
  assert.equal(new Int32Array(shared.unasked)[0], 0);
  for (const processor of ids) assert.equal(new ApicBox(shared.mail, processor).waiting, false);
});

it('a box tells a vector that came both ways as level-triggered at last', () => {
  const box = new ApicBox(allocateApicMail([0, 1]), 1);
  box.postFixed(0x31, true);
  box.postFixed(0x31, false);
  box.postFixed(0xff, false);
  const told: [number, boolean][] = [];
  box.takeFixed({ fixed: (vector, levelTriggered) => told.push([vector, levelTriggered]) });
  assert.deepEqual(told, [
    [0x31, false],
    [0xff, false],
    [0x31, true],
  ]);
});

it('only the first message into an empty box has to be announced', () => {
  const box = new ApicBox(allocateApicMail([0, 1]), 1);
  assert.deepEqual(
    [box.postNmi(), box.postFixed(0x31, false), box.postInit(), box.postStartUp(8)],
    [true, false, false, false],
  );
  const told: string[] = [];
  const note = (name: string) => (value?: number) => void told.push(value === undefined ? name : `${name} ${value}`);
  const receiver = {
    init: note('init'),
    startUp: note('startUp'),
    nmi: note('nmi'),
    external: note('external'),
    fixed: note('fixed'),
    endOfInterrupt: note('eoi'),
  };
  box.take(receiver);
  assert.deepEqual(told, ['init', 'startUp 8', 'fixed 49']);
  assert.equal(box.waiting, false);
  assert.equal(box.postStartUp(9), true);
});
