/** Writes that nobody waits for: in order, before whatever is asked afterwards, and never lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { MmioBus } from '../device-model/mmio.ts';
import { PortBus } from '../device-model/port-io.ts';
import { allocatePostedWrites, PostedWrites } from './posted-writes.ts';
import { allocateRemoteIo, RemoteIo, RemoteIoService } from './remote-io.ts';

const com1 = 0x3f8;
const lineStatus = com1 + 5;

function board(processors: number) {
  const seen: string[] = [];
  const ports = new PortBus();
  ports.map(com1, com1 + 7, {
    portWidth: 1,
    readPort: (port) => {
      seen.push(`read ${port.toString(16)}`);
      return seen.length;
    },
    writePort: (port, size, value) => void seen.push(`${port.toString(16)} ${size} ${value}`),
  });
  const memory = allocateRemoteIo(processors);
  const service = new RemoteIoService(memory, processors, { ports, mmio: new MmioBus(), died: () => {} });
  const wakes: number[] = [];
  const processor = (number: number, serves: boolean): RemoteIo =>
    new RemoteIo(memory, number, {
      wake: () => {
        wakes.push(number);
        if (serves) service.serve();
      },
      block: (wait) => {
        service.serve();
        return wait();
      },
      ring: () => false,
      stopping: () => false,
    });
  return { seen, service, wakes, processor };
}

test('bytes for the console are written later, in order, and wake the board once', () => {
  const { seen, service, wakes, processor } = board(2);
  const io = processor(1, false);
  for (const byte of [72, 105, 0x1ff]) io.ports.write(com1, 1, byte);
  assert.deepEqual([seen, wakes, service.waiting], [[], [1], true]);
  assert.equal(service.serve(), true);
  assert.deepEqual(seen, ['3f8 1 72', '3f8 1 105', '3f8 1 255']);
  assert.deepEqual([service.waiting, service.serve()], [false, false]);
  io.ports.write(com1, 1, 1);
  assert.deepEqual(wakes, [1, 1]);
});

test('what is asked afterwards finds them done: by the same processor, by another one, by the first', () => {
  const { seen, service, processor } = board(3);
  const [one, two] = [processor(1, false), processor(2, false)];
  const ports = service.orderedPorts();
  one.ports.write(com1, 1, 1);
  assert.equal(one.ports.read(lineStatus, 1), 2);
  one.ports.write(com1, 1, 2);
  one.ports.write(com1 + 3, 1, 3);
  one.ports.write(com1, 1, 4);
  assert.equal(two.ports.read(lineStatus, 1), 6);
  two.ports.write(com1, 1, 5);
  assert.equal(ports.read(lineStatus, 1), 8);
  one.ports.write(com1, 1, 6);
  ports.write(com1 + 3, 1, 7);
  const order = ['3f8 1 1', 'read 3fd', '3f8 1 2', '3fb 1 3', '3f8 1 4', 'read 3fd', '3f8 1 5', 'read 3fd', '3f8 1 6'];
  assert.deepEqual(seen, [...order, '3fb 1 7']);
});

test('wide writes to the port are not posted', () => {
  const { seen, processor } = board(2);
  processor(1, true).ports.write(com1, 2, 0x102);
  assert.deepEqual(seen, ['3f8 1 2', '3f9 1 1']);
});

test('a ring that is full takes no more until something was taken', () => {
  const writes = new PostedWrites(allocatePostedWrites(1), 0);
  let posted = 0;
  while (writes.post(com1, posted)) posted++;
  assert.ok(posted >= 16 && posted < 1000, `${posted}`);
  const taken: number[] = [];
  const take = (): void => writes.take((port, value) => void taken.push(port * 256 + value));
  take();
  assert.deepEqual(
    taken,
    Array.from({ length: posted }, (_, n) => com1 * 256 + n),
  );
  assert.equal(writes.post(com1 + 1, 0), false);
  assert.equal(writes.waiting, false);
});

test('a byte that comes while the last one is taken wakes, or is taken with it', async () => {
  const posted = allocatePostedWrites(1);
  const bell = new Int32Array(new SharedArrayBuffer(8));
  const count = 500_000;
  const source = new URL('./posted-writes.ts', import.meta.url).href;
  const worker = new Worker(
    `const { workerData: { posted, bell, count, source } } = require('node:worker_threads');
    import(source).then(({ PostedWrites }) => {
      const writes = new PostedWrites(posted, 0, () => { Atomics.add(bell, 0, 1); Atomics.notify(bell, 0); });
      for (let n = 0; n < count; n++) {
        for (let pause = n % 97; pause > 0; pause--) Atomics.load(bell, 1);
        while (!writes.post(${com1}, n)) Atomics.wait(bell, 1, 0, 0.05);
      }
    });`,
    { eval: true, workerData: { posted, bell, count, source } },
  );
  const writes = new PostedWrites(posted, 0);
  let next = 0;
  try {
    while (next < count) {
      const heard = Atomics.load(bell, 0);
      writes.take((_port, value) => {
        assert.equal(value, next++ & 0xff);
      });
      // Without a wake there is nothing: after a lost one this waits in vain.
      if (next < count && !writes.waiting) assert.notEqual(Atomics.wait(bell, 0, heard, 10_000), 'timed-out');
    }
  } finally {
    await worker.terminate();
  }
});
