/** Queues as a driver uses them, and as it must not. The device copies what it reads to where it may write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageFlag } from '../../memory/guest-memory.ts';
import { descriptor, descriptorFlag, usedRing } from '../../spec/virtio/ring.ts';
import { virtioFeature, virtioStatus } from '../../spec/virtio/virtio.ts';
import type { RawDescriptor } from './testing/driver-queue.ts';
import { EchoDevice } from './testing/echo-device.ts';
import { ramBytes, TestMachine, turn } from './testing/test-machine.ts';

const { eventIndex, indirectDescriptors } = virtioFeature;
const { next, write, indirect } = descriptorFlag;

async function machine(features = 0n, size = 8) {
  const device = new EchoDevice([size]);
  const bench = new TestMachine(device);
  const [queue] = await bench.bringUp(features, [size]);
  assert.ok(queue);
  return { device, bench, queue };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

test('what the driver gives in pieces comes back in pieces', async () => {
  const { queue } = await machine();
  const { written, buffers } = await queue.exchange([bytes('abc'), bytes('defgh')], [2, 3, 10]);
  assert.equal(written, 8);
  assert.deepEqual(
    buffers.map((buffer) => text(buffer).replaceAll('\0', '.')),
    ['ab', 'cde', 'fgh.......'],
  );
});

test('more chains than the queue is long, across the wrap of both rings', async () => {
  const { queue } = await machine(0n, 4);
  for (let n = 0; n < 70; n++) {
    const { buffers } = await queue.exchange([bytes(`${n}`)], [2]);
    assert.equal(text(buffers[0]?.subarray(0, `${n}`.length)), `${n}`);
  }
});

test('the 16-bit indexes wrap', async () => {
  const { queue, device, bench } = await machine(eventIndex, 2);
  const address = bench.allocate(1);
  queue.writeDescriptor(queue.descriptors, 0, { address, length: 1, flags: write });
  for (let n = 0; n < 65_600; n++) {
    queue.offer(0);
    queue.ring();
    await queue.next();
  }
  assert.equal(device.chains, 65_600);
  assert.deepEqual(bench.reports, []);
});

test('indirect tables, also behind direct descriptors', async () => {
  const { bench, queue } = await machine(indirectDescriptors);
  const table = bench.allocate(64);
  const data = bench.allocate(16);
  bench.memory.write(data, bytes('hello'));
  queue.writeDescriptor(table, 0, { address: data + 2, length: 3, flags: next, next: 2 });
  queue.writeDescriptor(table, 2, { address: data + 8, length: 8, flags: write });
  queue.writeDescriptor(queue.descriptors, 0, { address: data, length: 2, flags: next, next: 5 });
  queue.writeDescriptor(queue.descriptors, 5, { address: table, length: 3 * descriptor.size, flags: indirect });
  queue.offer(0);
  queue.ring();
  assert.deepEqual(await queue.next(), { head: 0, written: 5 });
  assert.equal(text(bench.memory.read(data + 8, 5)), 'hello');
});

test('pieces that lie next to each other are one', async () => {
  const { bench, queue, device } = await machine();
  const at = bench.allocate(4096);
  queue.writeDescriptor(queue.descriptors, 0, { address: at, length: 100, flags: next | write, next: 1 });
  queue.writeDescriptor(queue.descriptors, 1, { address: at + 100, length: 0, flags: next | write, next: 2 });
  queue.writeDescriptor(queue.descriptors, 2, { address: at + 100, length: 28, flags: write });
  queue.offer(0);
  queue.ring();
  await queue.next();
  assert.deepEqual(device.lastWritable, [128]);
});

test('interrupts: always, not with the flag, and by event index only when the index passes it', async () => {
  const plain = await machine();
  await plain.queue.exchange([], [1]);
  assert.deepEqual(plain.bench.messages, [1]);
  plain.queue.availableFlags = 1;
  await plain.queue.exchange([], [1]);
  await turn();
  assert.deepEqual(plain.bench.messages, [1]);
  const { bench, queue } = await machine(eventIndex);
  queue.usedEvent = 2;
  for (let n = 0; n < 2; n++) await queue.exchange([], [1]);
  await turn();
  assert.deepEqual(bench.messages, []);
  await queue.exchange([], [1]);
  assert.deepEqual(bench.messages, [1]);
  await queue.exchange([], [1]);
  await turn();
  assert.deepEqual(bench.messages, [1]);
});

test('an event index that becomes visible too late is looked at once more', async () => {
  const { bench, queue } = await machine(eventIndex);
  queue.usedEvent = 100;
  await queue.exchange([], [1]);
  queue.usedEvent = 0;
  await turn();
  assert.deepEqual(bench.messages, [1]);
});

test('notifications: wanted while the device waits, not while it is busy', async () => {
  const { queue, device } = await machine();
  device.hold = true;
  assert.equal(queue.usedFlags, 0);
  queue.add([], [1]);
  queue.ring();
  await turn();
  assert.equal(queue.usedFlags, usedRing.noNotify);
  queue.add([], [1]);
  device.release();
  await queue.next();
  await queue.next();
  assert.equal(queue.usedFlags, 0);
});

test('by event index the device asks for the next buffer after those that it has taken', async () => {
  const { queue } = await machine(eventIndex);
  assert.equal(queue.availableEvent, 0);
  for (let n = 1; n < 4; n++) {
    await queue.exchange([], [1]);
    assert.equal(queue.availableEvent, n);
  }
});

test('a buffer whose notification was lost for want of a fence is found a moment later', async () => {
  const { queue } = await machine(eventIndex);
  await queue.exchange([], [1]);
  queue.add([], [1]);
  await queue.next();
});

test('what the device writes makes pages dirty', async () => {
  const { bench, queue } = await machine();
  const { writable } = queue.add([], [5000]);
  queue.ring();
  await queue.next();
  const page = (writable[0] as number) / 4096;
  for (const at of [page, page + 1, queue.used / 4096])
    assert.equal((bench.memory.pageFlags[at] as number) & pageFlag.dirty, pageFlag.dirty);
});

test('a chain that overwrites decoded code is used only when the processors have dropped it; later ones wait', async () => {
  const { bench, queue } = await machine();
  const dropped: [number, number][] = [];
  bench.memory.onCodeWrite((offset, length) => void dropped.push([offset, length]));
  const code = queue.add([], [8192]);
  const at = code.writable[0] as number;
  bench.memory.markCode(at / 4096 + 1);
  const plain = queue.add([], [1]);
  bench.busy = true;
  queue.ring();
  await turn();
  await turn();
  assert.equal(queue.usedIndex, 0, 'the guest must not hear of it yet');
  bench.busy = false;
  bench.serve();
  assert.deepEqual(dropped, [[at + 4096, 4096]]);
  assert.deepEqual([(await queue.next()).head, (await queue.next()).head], [code.head, plain.head]);
});

/** Each breaks one rule; the device stops, says so, and the host goes on. */
const hostile: Record<string, (m: Awaited<ReturnType<typeof machine>>) => void> = {
  'a head beyond the queue': ({ queue }) => queue.offer(8),
  'an available index that jumps': ({ queue }) => {
    queue.availableIndex = 9;
  },
  'a chain that loops': ({ queue, bench }) => {
    const address = bench.allocate(1);
    queue.writeDescriptor(queue.descriptors, 0, { address, length: 1, flags: next, next: 1 });
    queue.writeDescriptor(queue.descriptors, 1, { address, length: 1, flags: next, next: 0 });
    queue.offer(0);
  },
  'a next descriptor beyond the table': ({ queue, bench }) => {
    queue.writeDescriptor(queue.descriptors, 0, { address: bench.allocate(1), length: 1, flags: next, next: 8 });
    queue.offer(0);
  },
  'a buffer beyond RAM': ({ queue }) => one(queue, { address: ramBytes, length: 1 }),
  'a buffer that ends beyond RAM': ({ queue }) => one(queue, { address: ramBytes - 1, length: 2 }),
  'a buffer of 4 GiB less one': ({ queue }) => one(queue, { address: 0, length: 0xffff_ffff }),
  'a buffer in MMIO': ({ queue }) => one(queue, { address: 0xfee0_0000, length: 4 }),
  'a buffer at the end of all addresses': ({ queue }) =>
    one(queue, { address: 0xffff_ffff_ffff_fff0n, length: 0x20, flags: write }),
  'a readable buffer behind a writable one': ({ queue, bench }) => {
    const address = bench.allocate(1);
    queue.writeDescriptor(queue.descriptors, 0, { address, length: 1, flags: write | next, next: 1 });
    queue.writeDescriptor(queue.descriptors, 1, { address, length: 1 });
    queue.offer(0);
  },
  'an indirect table whose length is no multiple': ({ queue, bench }) =>
    one(queue, { address: bench.allocate(64), length: 17, flags: indirect }),
  'an indirect table of no length': ({ queue, bench }) =>
    one(queue, { address: bench.allocate(64), length: 0, flags: indirect }),
  'an indirect table beyond any use': ({ queue, bench }) =>
    one(queue, { address: bench.allocate(1 << 16), length: 1 << 16, flags: indirect }),
  'an indirect table outside RAM': ({ queue }) => one(queue, { address: ramBytes - 8, length: 16, flags: indirect }),
  'an indirect table that goes on': ({ queue, bench }) =>
    one(queue, { address: bench.allocate(64), length: 16, flags: indirect | next, next: 1 }),
  'an indirect table in an indirect table': ({ queue, bench }) => {
    const table = bench.allocate(64);
    queue.writeDescriptor(table, 0, { address: table, length: 16, flags: indirect });
    one(queue, { address: table, length: 16, flags: indirect });
  },
  'an indirect table that loops': ({ queue, bench }) => {
    const table = bench.allocate(64);
    queue.writeDescriptor(table, 0, { address: table, length: 1, flags: next, next: 0 });
    one(queue, { address: table, length: 64, flags: indirect });
  },
};

function one(queue: Awaited<ReturnType<typeof machine>>['queue'], raw: RawDescriptor): void {
  queue.writeDescriptor(queue.descriptors, 0, raw);
  queue.offer(0);
}

for (const [name, attack] of Object.entries(hostile)) {
  test(`hostile: ${name}`, async () => {
    const m = await machine(indirectDescriptors);
    const { bench, queue } = m;
    attack(m);
    queue.ring();
    await turn();
    assert.notEqual(bench.status & virtioStatus.needsReset, 0);
    assert.equal(bench.reports.length, 1);
    assert.deepEqual(bench.messages, [0], 'a configuration change interrupt');
    assert.equal(queue.usedIndex, 0);
    // A reset brings the device back.
    bench.status = 0;
    await turn();
    assert.equal(bench.status, 0);
    const [again] = await bench.bringUp(0n, [8]);
    const { written } = (await again?.exchange([bytes('x')], [1])) ?? {};
    assert.equal(written, 1);
  });
}

test('hostile: an indirect descriptor that was not negotiated', async () => {
  const { bench, queue } = await machine();
  one(queue, { address: bench.allocate(64), length: 16, flags: indirect });
  queue.ring();
  await turn();
  assert.notEqual(bench.status & virtioStatus.needsReset, 0);
});

test('hostile: buffers made available over and over while none comes back', async () => {
  const { bench, queue, device } = await machine();
  device.hold = true;
  device.keep = true;
  one(queue, { address: bench.allocate(1), length: 1, flags: write });
  for (let n = 0; n < 20; n++) {
    queue.ring();
    await turn();
    queue.offer(0);
  }
  assert.notEqual(bench.status & virtioStatus.needsReset, 0);
  assert.ok(device.chains <= 8);
});

test('hostile: queues that are no RAM, misaligned, or reach beyond it', async () => {
  for (const spoil of [
    (q: { descriptors: number }) => Object.assign(q, { descriptors: q.descriptors + 8 }),
    (q: object) => Object.assign(q, { available: ramBytes - 4 }),
    (q: object) => Object.assign(q, { used: 0xfee0_0000 }),
    (q: object) => Object.assign(q, { used: 2 ** 60 }),
  ]) {
    const bench = new TestMachine(new EchoDevice([8]));
    assert.ok(bench.negotiate(virtioFeature.version1));
    bench.enableMsix(2);
    const queue = bench.setUpQueue(0, 8, spoil);
    bench.status = 0x0f;
    await turn();
    assert.notEqual(bench.status & virtioStatus.needsReset, 0);
    queue.ring();
    await turn();
    bench.status = 0;
    await turn();
    assert.equal(bench.status, 0);
  }
});

test('hostile: random bytes for queues', async () => {
  let state = 12_345;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  for (let round = 0; round < 300; round++) {
    const { bench, queue } = await machine(indirectDescriptors | (round % 2 === 0 ? eventIndex : 0n));
    for (let at = 0; at < 8 * descriptor.size; at += 4) {
      // Mostly small numbers, so that some of them mean something.
      bench.memory.writeU32(queue.descriptors + at, random() >>> (random() % 24));
    }
    for (let n = 0; n < 4; n++) queue.offer(random() % 9);
    queue.ring();
    await turn();
    await turn();
    bench.status = 0;
    await turn();
    const [again] = await bench.bringUp(0n, [8]);
    assert.equal((await again?.exchange([bytes('alive')], [5]))?.written, 5);
  }
});
