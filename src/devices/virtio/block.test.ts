/** virtio-blk with a disk in memory, driven by requests as a driver makes them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from '../../block/testing/memory-disk.ts';
import { blockConfig, blockFeature, blockRequestType, blockStatus } from '../../spec/virtio/block.ts';
import { virtioFeature } from '../../spec/virtio/virtio.ts';
import { VirtioBlock } from './block.ts';
import { TestMachine, turn } from './testing/test-machine.ts';
import { structure } from './virtio-capabilities.ts';

const { read, write, flush, getId, discard, writeZeroes } = blockRequestType;
const { ok, ioError, unsupported } = blockStatus;
const diskBytes = 1 << 20;

async function bench(
  options: {
    readOnly?: boolean;
    queues?: number;
    features?: bigint;
    noSpace?: (retry: () => Promise<boolean>) => Promise<void>;
  } = {},
) {
  const { readOnly = false, queues = 1, features, noSpace = () => Promise.reject(new Error('full')) } = options;
  const disk = new MemoryDisk(diskBytes, readOnly);
  for (let n = 0; n < diskBytes; n++) disk.bytes[n] = (n >> 9) + n;
  const device = new VirtioBlock({ disk, serial: 'serial-number', queues, noSpace: (_, retry) => noSpace(retry) });
  const machine = new TestMachine(device);
  const list = await machine.bringUp(features ?? device.description.features | virtioFeature.eventIndex);
  const [queue] = list;
  assert.ok(queue);
  return { disk, device, machine, queue, queues: list };
}

function header(type: number, sector: number | bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return new Uint8Array(view.buffer);
}

function range(sector: number, sectors: number, flags = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return new Uint8Array(view.buffer);
}

const pattern = (bytes: number, seed: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, n) => n * seed);

test('the configuration tells size, blocks and limits', async () => {
  const { machine } = await bench({ queues: 3 });
  const at = (offset: number): number => machine.read(structure.device + offset, 4);
  assert.deepEqual([at(blockConfig.capacity), at(blockConfig.capacity + 4)], [diskBytes / 512, 0]);
  assert.equal(at(blockConfig.blockSize), 512);
  assert.equal(at(blockConfig.physicalBlockExponent) & 0xff, 3);
  assert.equal(machine.read(structure.device + blockConfig.queueCount, 2), 3);
  assert.equal(at(blockConfig.segmentMax), 254);
});

test('reads into one buffer and into many, and says how much it wrote', async () => {
  const { queue, disk } = await bench();
  const whole = await queue.exchange([header(read, 4)], [1024, 1]);
  assert.deepEqual(whole.buffers[0], disk.bytes.slice(2048, 3072));
  assert.deepEqual([whole.buffers[1]?.[0], whole.written], [ok, 1025]);
  const pieces = await queue.exchange([header(read, 5)], [100, 300, 112, 1]);
  assert.deepEqual(Buffer.concat(pieces.buffers.slice(0, 3)), Buffer.from(disk.bytes.slice(2560, 3072)));
  // Data and status in one buffer, the header in two: drivers may cut as they like.
  const odd = await queue.exchange([header(read, 0).subarray(0, 7), header(read, 0).subarray(7)], [513]);
  assert.deepEqual(odd.buffers[0]?.subarray(0, 512), disk.bytes.slice(0, 512));
  assert.equal(odd.buffers[0]?.[512], ok);
});

test('writes, and a flush that the driver asks for', async () => {
  const { queue, disk } = await bench();
  const data = pattern(1536, 7);
  const done = await queue.exchange([header(write, 10), data.subarray(0, 600), data.subarray(600)], [1]);
  assert.deepEqual([done.buffers[0]?.[0], done.written], [ok, 1]);
  assert.deepEqual(disk.bytes.slice(5120, 5120 + 1536), data);
  assert.deepEqual(disk.log, ['write 5120+1536']);
  await queue.exchange([header(flush, 0)], [1]);
  assert.equal(disk.log.at(-1), 'flush');
});

test('a driver that does not know flush gets durable writes', async () => {
  const { queue, disk } = await bench({ features: 0n });
  await queue.exchange([header(write, 0), pattern(512, 1)], [1]);
  assert.deepEqual(disk.log, ['write 0+512', 'flush']);
});

test('more than a megabyte goes in slices', async () => {
  const { machine, queue, disk } = await bench();
  const at = machine.allocate(diskBytes + 4096);
  queue.writeDescriptor(queue.descriptors, 0, { address: at, length: 16, flags: 1, next: 1 });
  queue.writeDescriptor(queue.descriptors, 1, { address: at + 4096, length: diskBytes, flags: 3, next: 2 });
  queue.writeDescriptor(queue.descriptors, 2, { address: at + 64, length: 1, flags: 2 });
  machine.memory.write(at, header(read, 0));
  queue.offer(0);
  queue.ring();
  assert.equal((await queue.next()).written, diskBytes + 1);
  assert.ok(Buffer.from(disk.bytes).equals(machine.memory.read(at + 4096, diskBytes)));
});

test('the serial number', async () => {
  const { queue } = await bench();
  const { buffers } = await queue.exchange([header(getId, 0)], [20, 1]);
  assert.equal(
    Buffer.from(buffers[0] ?? [])
      .toString()
      .replaceAll('\0', ''),
    'serial-number',
  );
  const short = await queue.exchange([header(getId, 0)], [6, 1]);
  assert.equal(Buffer.from(short.buffers[0] ?? []).toString(), 'serial');
});

test('discard and write zeroes, in ranges; flags and lengths that nobody offered are refused', async () => {
  const { queue, disk } = await bench();
  const status = async (type: number, ...ranges: Uint8Array[]): Promise<number | undefined> =>
    (await queue.exchange([header(type, 0), ...ranges], [1])).buffers[0]?.[0];
  assert.equal(await status(discard, range(8, 8), range(32, 1)), ok);
  assert.equal(await status(writeZeroes, range(1, 2)), ok);
  assert.equal(await status(writeZeroes, range(3, 1, 1)), ok);
  assert.deepEqual(disk.log, ['discard 4096+4096', 'discard 16384+512', 'zero 512+1024', 'unmap 1536+512']);
  assert.ok(disk.bytes.slice(512, 2048).every((byte) => byte === 0));
  assert.equal(await status(writeZeroes, range(0, 1, 2)), unsupported);
  assert.equal(await status(writeZeroes, range(0, 0xffff_ffff)), ioError);
  assert.equal(await status(discard, range(diskBytes / 512, 1)), ioError);
  assert.equal(await status(discard, range(0, 1).subarray(1)), unsupported);
  assert.equal(await status(discard, ...Array.from({ length: 17 }, () => range(0, 1))), unsupported);
});

test('a read-only disk is offered as such and is not written to', async () => {
  const { queue, disk, device } = await bench({ readOnly: true });
  assert.notEqual(device.description.features & blockFeature.readOnly, 0n);
  for (const [type, data] of [
    [write, pattern(512, 1)],
    [discard, range(0, 1)],
    [writeZeroes, range(0, 1)],
  ] as const)
    assert.equal((await queue.exchange([header(type, 0), data], [1])).buffers[0]?.[0], ioError);
  assert.deepEqual(disk.log, []);
});

test('what the disk cannot do is an I/O error or unsupported, and of a failed read nothing counts', async () => {
  const { queue, disk } = await bench();
  for (const [kind, status] of [
    ['io', ioError],
    ['corrupt', ioError],
    ['unsupported', unsupported],
  ] as const) {
    disk.failures.push(kind);
    const { buffers, written } = await queue.exchange([header(read, 0)], [512, 1]);
    assert.deepEqual([buffers[1]?.[0], written], [status, 0]);
  }
});

test('requests that make no sense', async () => {
  const { queue, machine, disk } = await bench();
  const last = diskBytes / 512;
  for (const [readable, writable, status] of [
    [[header(99, 0)], [1], unsupported],
    [[header(read, 0).subarray(0, 15)], [512, 1], unsupported],
    [[], [1], unsupported],
    [[header(read, 0)], [100, 1], ioError],
    [[header(read, last)], [512, 1], ioError],
    [[header(read, last - 1)], [1024, 1], ioError],
    [[header(read, 0xffff_ffff_ffff_ffffn)], [512, 1], ioError],
    [[header(write, last), pattern(512, 1)], [1], ioError],
    [[header(write, 0), pattern(511, 1)], [1], ioError],
  ] as const) {
    const { buffers } = await queue.exchange(readable, writable);
    assert.equal(buffers.at(-1)?.[0], status);
  }
  assert.deepEqual(disk.log, []);
  // No room for a status: the chain comes back, that is all.
  assert.equal((await queue.exchange([header(write, 0), pattern(512, 1)], [])).written, 0);
  assert.equal((await queue.exchange([header(read, 0)], [0, 1])).buffers[1]?.[0], ok);
  assert.deepEqual(machine.reports, []);
});

test('many requests of several queues are under way at once, and the rest waits its turn', async () => {
  const { queues, disk } = await bench({ queues: 2 });
  const gate = Promise.withResolvers<void>();
  disk.gate = gate.promise;
  for (const queue of queues) {
    for (let n = 0; n < 60; n++) queue.add([header(read, n)], [512, 1]);
    queue.ring();
  }
  await turn();
  await turn();
  assert.equal(disk.active, 64);
  gate.resolve();
  for (const queue of queues) for (let n = 0; n < 60; n++) await queue.next();
  assert.equal(disk.log.length, 120);
  assert.equal(disk.mostActive, 64);
});

test('a full host: the request is held until there is room, and others go on', async () => {
  const room = Promise.withResolvers<void>();
  let asked = 0;
  const { queue, disk } = await bench({
    noSpace: async (retry) => {
      for (let over = false; !over; ) {
        asked++;
        if (asked === 3) await room.promise;
        over = await retry();
      }
    },
  });
  disk.failures.push('no-space', 'no-space', 'no-space');
  const data = pattern(512, 3);
  const held = queue.add([header(write, 0), data], [1]);
  queue.ring();
  await turn();
  await turn();
  assert.equal(asked, 3);
  assert.equal((await queue.exchange([header(read, 8)], [512, 1])).buffers[1]?.[0], ok);
  room.resolve();
  assert.equal((await queue.next()).head, held.head);
  assert.deepEqual(disk.bytes.slice(0, 512), data);
});

test('hostile: descriptors and header that change while a request is under way change nothing of it', async () => {
  const { queue, disk, machine } = await bench();
  const victim = machine.allocate(4096);
  machine.memory.write(victim, pattern(4096, 5));
  for (const type of [read, write]) {
    const gate = Promise.withResolvers<void>();
    disk.gate = gate.promise;
    const data = pattern(1024, 11);
    const first = type === read ? queue.add([header(read, 8)], [512, 512, 1]) : undefined;
    if (type === write) queue.add([header(write, 16), data.subarray(0, 512), data.subarray(512)], [1]);
    queue.ring();
    await turn();
    for (let index = 0; index < queue.size; index++)
      queue.writeDescriptor(queue.descriptors, index, { address: victim, length: 4096, flags: 3, next: index });
    gate.resolve();
    assert.equal((await queue.next()).written, type === read ? 1025 : 1);
    assert.deepEqual(machine.memory.read(victim, 4096), pattern(4096, 5));
    if (first !== undefined) {
      const [one, two] = first.writable as [number, number];
      assert.deepEqual(machine.memory.read(one, 512), disk.bytes.slice(4096, 4608));
      assert.deepEqual(machine.memory.read(two, 512), disk.bytes.slice(4608, 5120));
    } else {
      assert.deepEqual(disk.bytes.slice(8192, 9216), data);
    }
  }
  assert.deepEqual(machine.reports, []);
});

test('a reset waits for what is under way, and what is held for room is forgotten', async () => {
  const room = Promise.withResolvers<void>();
  const { queue, disk, machine } = await bench({
    noSpace: async (retry) => {
      await room.promise;
      await retry();
    },
  });
  disk.failures.push('no-space');
  queue.add([header(write, 0), pattern(512, 3)], [1]);
  queue.ring();
  await turn();
  const gate = Promise.withResolvers<void>();
  disk.gate = gate.promise;
  queue.add([header(read, 0)], [512, 1]);
  queue.ring();
  await turn();
  machine.status = 0;
  await turn();
  assert.notEqual(machine.status, 0, 'the read may still write to guest RAM');
  gate.resolve();
  await turn();
  assert.equal(machine.status, 0);
  room.resolve();
  await turn();
  assert.deepEqual([queue.usedIndex, disk.log.length], [0, 2]);
});
