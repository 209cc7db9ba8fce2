/** virtio-net with a cable that a test holds, driven as a driver does it, and as none should. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { write16 } from '../../net/frame/bytes.ts';
import { pseudoHeaderSum } from '../../net/frame/checksum.ts';
import type { Frame, FrameSink, NetPort, Offload } from '../../net/port.ts';
import { ends, remote } from '../../net/testing/open-connection.ts';
import { guestAddress, tcpFrame } from '../../net/testing/scripted-guest.ts';
import { netFeature, virtioNetConfig, virtioNetControl } from '../../spec/virtio/net.ts';
import { virtioFeature } from '../../spec/virtio/virtio.ts';
import { VirtioNet } from './net.ts';
import type { DriverQueue } from './testing/driver-queue.ts';
import { TestMachine, turn } from './testing/test-machine.ts';
import { structure } from './virtio-capabilities.ts';

const mac = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const other = Uint8Array.of(2, 0, 0, 0, 0, 9);

class Cable implements NetPort {
  readonly sent: { frame: Uint8Array; offload: Offload | undefined }[] = [];
  hasRoom = true;
  resumed = 0;
  #receiver: FrameSink | undefined;

  connect(receiver: FrameSink): void {
    this.#receiver = receiver;
  }

  send(frame: Frame, offload?: Offload): boolean {
    if (this.hasRoom) this.sent.push({ frame: frame.slice(), offload: offload && { ...offload } });
    return this.hasRoom;
  }

  resume(): void {
    this.resumed++;
  }

  close(): void {}

  deliver(frame: Frame, offload?: Offload): boolean {
    return this.#receiver?.send(frame, offload) ?? true;
  }

  tellRoom(): void {
    this.#receiver?.resume();
  }
}

const allFeatures = (device: VirtioNet): bigint => device.description.features;
const withoutFilters = (device: VirtioNet): bigint =>
  allFeatures(device) & ~(netFeature.controlReceive | netFeature.controlVlan);

async function bench(features: (device: VirtioNet) => bigint = withoutFilters) {
  const port = new Cable();
  const tasks: (() => void)[] = [];
  const device = new VirtioNet({ port, mac, mtuBytes: 1500, later: (task) => tasks.push(task) });
  const machine = new TestMachine(device);
  const [receive, transmit, control] = await machine.bringUp(features(device) | virtioFeature.eventIndex);
  assert.ok(receive && transmit && control);
  return { port, device, machine, receive, transmit, control, tasks };
}

function header(fields: { flags?: number; type?: number; size?: number; start?: number; offset?: number } = {}) {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint8(0, fields.flags ?? 0);
  view.setUint8(1, fields.type ?? 0);
  view.setUint16(4, fields.size ?? 0, true);
  view.setUint16(6, fields.start ?? 0, true);
  view.setUint16(8, fields.offset ?? 0, true);
  return new Uint8Array(view.buffer);
}

/** A frame to the card, from elsewhere. */
function frameTo(destination: ArrayLike<number>, length = 60): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, i) => i & 0xff);
  frame.set(Uint8Array.from(destination), 0);
  frame.set([8, 0], 12);
  return frame;
}

/** Offers receive buffers. */
function offer(queue: DriverQueue, sizes: readonly number[]): void {
  for (const size of sizes) queue.add([], [size]);
  queue.ring();
}

test('address, link and MTU in the configuration', async () => {
  const { machine } = await bench();
  const at = (offset: number): number => machine.read(structure.device + offset, 2);
  assert.deepEqual(
    [0, 2, 4].map((offset) => at(virtioNetConfig.mac + offset)),
    [0x5452, 0x1200, 0x5634],
  );
  assert.equal(at(virtioNetConfig.status), 1);
  assert.equal(at(virtioNetConfig.mtu), 1500);
});

test('frames go out, whole, from one buffer or several', async () => {
  const { port, transmit } = await bench();
  const frame = frameTo(other, 1514);
  assert.equal((await transmit.exchange([header(), frame], [])).written, 0);
  const joined = Uint8Array.of(...header(), ...frame);
  await transmit.exchange([joined.subarray(0, 5), joined.subarray(5, 300), joined.subarray(300)], []);
  assert.deepEqual(
    port.sent.map((sent) => sent.offload),
    [undefined, undefined],
  );
  assert.deepEqual(port.sent[0]?.frame, frame);
  assert.deepEqual(port.sent[1]?.frame, frame);
});

test('what the driver leaves to do is passed on', async () => {
  const { port, transmit } = await bench();
  const frame = tcpFrame(ends, { flags: 'PA', payload: new Uint8Array(30_000) });
  const tso = header({ flags: 1, type: 0x81, size: 1460, start: 34, offset: 16 });
  await transmit.exchange([tso, frame], []);
  await transmit.exchange([header({ flags: 1, start: 34, offset: 16 }), frame.subarray(0, 1000)], []);
  assert.deepEqual(
    port.sent.map((sent) => [sent.frame.length, sent.offload]),
    [
      [30_054, { checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 }],
      [1000, { checksumStart: 34, checksumOffset: 16, segmentBytes: 0 }],
    ],
  );
});

test('what is no frame is dropped, and given back', async () => {
  const { port, transmit, machine } = await bench();
  const frame = frameTo(other);
  for (const readable of [
    [Uint8Array.of(1)],
    [header()],
    [header(), frame.subarray(0, 13)],
    [header(), new Uint8Array(66_000)],
    [header({ flags: 1, start: 59, offset: 0 }), frame],
    [header({ flags: 1, start: 65_535, offset: 65_535 }), frame],
    [header({ flags: 0, type: 1, size: 1460, start: 34, offset: 16 }), frame],
    [header({ flags: 1, type: 1, size: 0, start: 34, offset: 16 }), frame],
    [header({ flags: 1, type: 1, size: 1460, start: 50, offset: 0 }), frame],
    [header({ flags: 1, type: 3, size: 1460, start: 34, offset: 6 }), frame],
    [header({ flags: 0, type: 0x55 }), frame],
  ]) {
    await transmit.exchange(readable, []);
  }
  await transmit.exchange([], [100]);
  assert.deepEqual(port.sent, []);
  assert.deepEqual(machine.reports, []);
  await transmit.exchange([header(), frame], []);
  assert.equal(port.sent.length, 1);
});

test('a cable without room holds the guest back, in order', async () => {
  const { port, transmit } = await bench();
  port.hasRoom = false;
  for (let n = 0; n < 3; n++) transmit.add([header(), frameTo([2, 0, 0, 0, 0, n])], []);
  transmit.ring();
  await turn();
  assert.equal(transmit.usedIndex, 0);
  port.hasRoom = true;
  port.tellRoom();
  assert.equal(transmit.usedIndex, 3);
  assert.deepEqual(
    port.sent.map(({ frame }) => frame[5]),
    [0, 1, 2],
  );
});

test('a guest that sends without end lets others have their turn', async () => {
  const { port, transmit, tasks } = await bench();
  const large = new Uint8Array(60_000);
  for (let n = 0; n < 40; n++) transmit.add([header(), large], []);
  transmit.ring();
  await turn();
  assert.equal(port.sent.length, 18);
  while (tasks.length > 0) tasks.shift()?.();
  assert.equal(port.sent.length, 40);
});

test('a frame comes in one buffer, with its header', async () => {
  const { port, receive, machine } = await bench();
  const { writable } = receive.add([], [1526]);
  receive.ring();
  await turn();
  const frame = frameTo(mac, 300);
  assert.equal(port.deliver(frame), true);
  assert.equal((await receive.next()).written, 312);
  const bytes = machine.memory.read(writable[0] as number, 312);
  assert.deepEqual([...bytes.subarray(0, 12)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  assert.deepEqual(bytes.subarray(12), frame);
});

test('a large frame comes in many buffers, all of them at once, its segments left to the driver', async () => {
  const { port, receive, machine } = await bench();
  const places = Array.from({ length: 10 }, () => receive.add([], [4000]).writable[0] as number);
  receive.ring();
  await turn();
  const frame = tcpFrame(ends, { flags: 'PA', payload: Uint8Array.from({ length: 30_000 }, (_, i) => i % 251) });
  port.deliver(frame, { checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 });
  const used = [await receive.next()];
  assert.equal(receive.usedIndex, 8);
  while (used.length < 8) used.push(await receive.next());
  assert.deepEqual(
    used.map(({ written }) => written),
    [4000, 4000, 4000, 4000, 4000, 4000, 4000, 2066],
  );
  const bytes = Buffer.concat(used.map(({ written }, n) => machine.memory.read(places[n] as number, written)));
  assert.deepEqual(
    [...bytes.subarray(0, 12)],
    [1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0, 8, 0],
    'checksum and TSO, header of 54, segments of 1460, eight buffers',
  );
  assert.deepEqual(new Uint8Array(bytes.subarray(12)), frame);
});

test('buffers of one frame are used together, although one of them overwrites decoded code', async () => {
  const { port, receive, machine } = await bench();
  const places = [0, 1, 2].map(() => receive.add([], [4096]).writable[0] as number);
  machine.memory.onCodeWrite(() => {});
  machine.memory.users.claimCode((places[1] as number) / 4096);
  receive.ring();
  await turn();
  machine.busy = true;
  port.deliver(frameTo(mac, 9000));
  await turn();
  assert.equal(receive.usedIndex, 0, 'not even the first, which overwrites nothing');
  machine.busy = false;
  machine.serve();
  await machine.until(() => receive.usedIndex !== 0, 'the frame');
  assert.equal(receive.usedIndex, 3);
});

test('without room the sender is refused, and told when there is some', async () => {
  const { port, receive } = await bench();
  offer(receive, [1000]);
  await turn();
  assert.equal(port.deliver(frameTo(mac, 1500)), false);
  assert.equal(receive.usedIndex, 0);
  assert.equal(port.resumed, 0);
  offer(receive, [1000]);
  await turn();
  assert.equal(port.resumed, 1);
  assert.equal(port.deliver(frameTo(mac, 1500)), true);
  assert.equal(receive.usedIndex, 2);
});

test('a driver that merges no buffers gets each frame in one, or not at all', async () => {
  const { port, receive } = await bench((device) => withoutFilters(device) & ~netFeature.mergeReceiveBuffers);
  offer(receive, [500, 500]);
  await turn();
  assert.equal(port.deliver(frameTo(mac, 1500)), true);
  assert.equal(receive.usedIndex, 0, 'lost');
  port.deliver(frameTo(mac, 400));
  assert.equal((await receive.next()).written, 412);
});

test('a frame that all buffers together cannot take is lost', async () => {
  const { port, receive } = await bench();
  offer(
    receive,
    Array.from({ length: receive.size }, () => 1),
  );
  await turn();
  assert.equal(port.deliver(frameTo(mac, 1500)), true);
  assert.equal(receive.usedIndex, 0);
  assert.equal(port.deliver(frameTo(mac, 60)), true);
  assert.equal(receive.usedIndex, 72, 'a header and sixty bytes');
});

test('a driver without offloads gets finished frames', async () => {
  const { port, receive } = await bench(
    () => netFeature.mac | netFeature.mergeReceiveBuffers | netFeature.guestChecksum,
  );
  offer(receive, [4000, 4000, 4000, 4000]);
  await turn();
  const frame = tcpFrame(ends, { flags: 'PA', payload: new Uint8Array(4000) });
  write16(frame, 50, pseudoHeaderSum(guestAddress, remote, 6, frame.length - 34));
  frame.set(mac);
  port.deliver(frame, { checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 });
  const lengths = [await receive.next(), await receive.next(), await receive.next()].map(({ written }) => written);
  assert.deepEqual(lengths, [1526, 1526, 12 + 54 + 1080]);
  port.deliver(frame.subarray(0, 1000), { checksumStart: 34, checksumOffset: 16, segmentBytes: 0 });
  assert.equal((await receive.next()).written, 1012, 'a checksum alone is left to a driver that offers it');
});

async function command(queue: DriverQueue, kind: number, code: number, data: readonly number[]): Promise<number> {
  const { buffers } = await queue.exchange([Uint8Array.of(kind, code), Uint8Array.from(data)], [1]);
  return buffers[0]?.[0] as number;
}

test('the control queue chooses what is received', async () => {
  const { port, receive, control, machine } = await bench(allFeatures);
  offer(
    receive,
    Array.from({ length: 64 }, () => 2000),
  );
  const { receiveMode, mac: address, vlan } = virtioNetControl;
  const multicast = [1, 0, 0x5e, 0, 0, 1];
  const broadcast = new Array(6).fill(0xff);
  const seen = (destination: ArrayLike<number>): boolean => {
    const before = receive.usedIndex;
    port.deliver(frameTo(destination));
    return receive.usedIndex !== before;
  };
  assert.deepEqual([mac, other, multicast, broadcast].map(seen), [true, true, true, true], 'everything at first');
  assert.equal(await command(control, receiveMode.class, receiveMode.promiscuous, [0]), 0);
  assert.deepEqual([mac, other, multicast, broadcast].map(seen), [true, false, false, true]);
  assert.equal(await command(control, receiveMode.class, receiveMode.allMulticast, [1]), 0);
  assert.equal(seen(multicast), true);
  await command(control, receiveMode.class, receiveMode.allMulticast, [0]);
  assert.equal(
    await command(control, address.class, address.setTable, [1, 0, 0, 0, ...other, 1, 0, 0, 0, ...multicast]),
    0,
  );
  assert.deepEqual([mac, other, multicast].map(seen), [true, true, true]);
  await command(control, receiveMode.class, receiveMode.noMulticast, [1]);
  await command(control, receiveMode.class, receiveMode.noBroadcast, [1]);
  await command(control, receiveMode.class, receiveMode.noUnicast, [1]);
  assert.deepEqual([mac, other, multicast, broadcast].map(seen), [false, false, false, false]);
  await command(control, receiveMode.class, receiveMode.noUnicast, [0]);
  const moved = [2, 0, 0, 0, 0, 77];
  assert.equal(await command(control, address.class, address.setAddress, moved), 0);
  assert.deepEqual([seen(moved), seen(mac)], [true, false]);
  assert.equal(machine.read(structure.device + 4, 2), 77 << 8);
  const tagged = frameTo(moved);
  tagged.set([0x81, 0, 0, 30], 12);
  port.deliver(tagged);
  const before = receive.usedIndex;
  assert.equal(await command(control, vlan.class, vlan.add, [30, 0]), 0);
  port.deliver(tagged);
  assert.equal(receive.usedIndex, before + 1, 'a VLAN is received once it was asked for');
  await command(control, vlan.class, vlan.delete, [30, 0]);
  port.deliver(tagged);
  assert.equal(receive.usedIndex, before + 1);
});

test('commands that make no sense are refused', async () => {
  const { control } = await bench(allFeatures);
  const { receiveMode, mac: address, vlan } = virtioNetControl;
  for (const [kind, code, data] of [
    [receiveMode.class, 6, [1]],
    [receiveMode.class, 0, []],
    [address.class, address.setTable, []],
    [address.class, address.setTable, [1, 0, 0, 0, 1, 2, 3]],
    [address.class, address.setTable, [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]],
    [address.class, address.setAddress, [1, 2, 3]],
    [address.class, 2, [0, 0, 0, 0]],
    [vlan.class, vlan.add, [1]],
    [vlan.class, vlan.add, [0, 0x10]],
    [vlan.class, 2, [1, 0]],
    [77, 0, [1]],
  ] as const) {
    assert.equal(await command(control, kind, code, data), 1, `${kind} ${code}`);
  }
  assert.equal((await control.exchange([], [1])).buffers[0]?.[0], 1);
  assert.equal((await control.exchange([Uint8Array.of(0, 0, 1)], [])).written, 0);
});

test('after a reset nothing of before is left', async () => {
  const { port, machine, receive, transmit, device } = await bench();
  offer(receive, [100, 100]);
  port.hasRoom = false;
  transmit.add([header(), frameTo(other)], []);
  transmit.ring();
  await turn();
  assert.equal(port.deliver(frameTo(mac, 1000)), false);
  machine.status = 0;
  await turn();
  assert.equal(port.resumed, 1, 'whoever waits for room need not wait any more');
  assert.equal(port.deliver(frameTo(mac, 1000)), true);
  port.hasRoom = true;
  port.tellRoom();
  assert.deepEqual(port.sent, []);
  const [again] = await machine.bringUp(withoutFilters(device));
  assert.ok(again);
  offer(again, [2000]);
  await turn();
  port.deliver(frameTo(mac, 1000));
  assert.equal(again.usedIndex, 1);
});
