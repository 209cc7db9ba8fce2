import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../device-model/port-io.ts';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import { rubbish } from '../testing/test-board.ts';
import { FwCfg } from './fw-cfg.ts';

const ramSize = 1 << 20;
const descriptor = 0x1000;

function board() {
  const memory = new GuestMemory(new webAssembly.Memory({ initial: 16, maximum: 16, shared: true }), ramSize);
  const ports = new PortBus();
  const fwCfg = new FwCfg(memory);
  fwCfg.attach(ports);
  const written: string[] = [];
  fwCfg.add(
    'etc/table',
    Uint8Array.from({ length: 300 }, (_, i) => i & 0xff),
  );
  fwCfg.add('etc/note', new Uint8Array(8), (bytes) => written.push(String.fromCharCode(...bytes)));
  const select = (key: number) => ports.write(0x510, 2, key);
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => ports.read(0x511, 1));
  /** Runs a DMA descriptor as the Linux driver does. @returns the control word afterwards. */
  const dma = (control: number, length: number, address: number, at = descriptor) => {
    const view = new DataView(new ArrayBuffer(16));
    view.setUint32(0, control);
    view.setUint32(4, length);
    view.setBigUint64(8, BigInt(address));
    memory.write(at, new Uint8Array(view.buffer));
    ports.write(0x514, 4, 0);
    ports.write(0x518, 4, new DataView(Uint32Array.of(at).buffer).getUint32(0));
    return new DataView(memory.read(at, 4).slice().buffer).getUint32(0);
  };
  return { memory, ports, fwCfg, written, select, bytes, dma };
}

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

test('signature and interface revision', () => {
  const { ports, select, bytes } = board();
  select(0x0000);
  assert.equal(text(bytes(4)), 'QEMU');
  select(0x0001);
  assert.deepEqual([...bytes(4)], [3, 0, 0, 0]);
  assert.equal(ports.read(0x514, 4), 0x554d4551, '"QEMU" in memory order');
  assert.equal(ports.read(0x518, 4), 0x47464320, '" CFG" in memory order');
});

test('the directory lists files big-endian, and its selectors work', () => {
  const { select, bytes } = board();
  select(0x0019);
  const directory = bytes(4 + 2 * 64);
  const view = new DataView(directory.buffer);
  assert.equal(view.getUint32(0), 2);
  assert.equal(view.getUint32(4), 300);
  assert.equal(view.getUint16(8), 0x20);
  assert.equal(text(directory.subarray(12, 22)), 'etc/table\0');
  assert.equal(view.getUint32(68), 8);
  select(view.getUint16(8));
  assert.deepEqual(
    [...bytes(300)],
    [...Array(300).keys()].map((i) => i & 0xff),
  );
  assert.deepEqual([...bytes(3)], [0, 0, 0], 'past the end there are zeros');
});

test('an item that is not there reads as zeros; the data port ignores writes', () => {
  const { ports, select, bytes } = board();
  select(0x3fff);
  assert.deepEqual([...bytes(4)], [0, 0, 0, 0]);
  select(0x4020);
  ports.write(0x511, 1, 0x99);
  assert.deepEqual([...bytes(2)], [0, 1], 'write mode selects the same item');
  select(0x8020);
  assert.equal(bytes(2)[1], 0, 'architecture items are others');
});

test('DMA selects, skips and reads, and pads with zeros', () => {
  const { memory, dma } = board();
  memory.write(0x2000, new Uint8Array(64).fill(0xee));
  assert.equal(dma(0x0020_000a, 4, 0x2000), 0);
  assert.deepEqual([...memory.read(0x2000, 5)], [0, 1, 2, 3, 0xee]);
  assert.equal(dma(0x04, 292, 0), 0);
  assert.equal(dma(0x02, 8, 0x2000), 0);
  assert.deepEqual([...memory.read(0x2000, 9)], [40, 41, 42, 43, 0, 0, 0, 0, 0xee]);
  assert.equal(dma(0x0020_000a, 0x2_0000, 0x4_0000), 0);
  assert.equal(memory.readU8(0x4_0000 + 299), 43);
  assert.ok(memory.read(0x4_0000 + 300, 0x2_0000 - 300).every((byte) => byte === 0));
});

test('DMA writes into writable files only', () => {
  const { memory, dma, written, select, bytes } = board();
  memory.write(
    0x2000,
    Uint8Array.from('hello!!!', (c) => c.charCodeAt(0)),
  );
  assert.equal(dma(0x0021_0018, 8, 0x2000), 0);
  assert.deepEqual(written, ['hello!!!']);
  select(0x21);
  assert.equal(text(bytes(8)), 'hello!!!');
  assert.equal(dma(0x0020_0018, 8, 0x2000), 1, 'read-only');
  assert.equal(dma(0x0021_0018, 9, 0x2000), 1, 'too long');
  assert.equal(dma(0x3fff_0018, 1, 0x2000), 1, 'nothing there');
  assert.deepEqual(written, ['hello!!!']);
});

test('hostile descriptors set the error bit and touch nothing', () => {
  const { memory, ports, dma } = board();
  assert.equal(dma(0x0020_000a, 4, ramSize - 2), 1, 'across the end of RAM');
  assert.equal(dma(0x0020_000a, 0xffff_ffff, 0x2000), 1, 'longer than RAM');
  assert.equal(dma(0x0020_000a, 4, 0xffff_ffff_ffff), 1, 'nowhere');
  assert.equal(dma(0x0021_0018, 4, 0xc000_0000), 1, 'from nowhere');
  assert.equal(dma(0x0020_000a, 0, 0xc000_0000), 0, 'nothing to move is no error');
  assert.equal(dma(0x0020_000c, 0xffff_ffff, 0), 0, 'skipping stops at the end');
  assert.equal(dma(0, 0, 0), 0, 'no operation');
  assert.equal(memory.readU8(ramSize - 1), 0);
  for (const address of [ramSize - 8, 0xffff_fff0, 0xc000_0000]) {
    ports.write(0x518, 4, new DataView(Uint32Array.of(address).buffer).getUint32(0));
  }
  ports.write(0x514, 4, 0xffff_ffff);
  ports.write(0x518, 4, 0);
  ports.write(0x514, 1, 0x12);
  ports.write(0x51a, 2, 0x1234);
});

test('random descriptors and port accesses never throw', () => {
  const { ports, dma } = board();
  for (const value of rubbish(23, 3_000)) {
    dma(value & 0x003f_001f, value >>> 20, value & 0x1f_ffff);
    ports.write(0x510 + (value & 15), [1, 2, 4][value % 3] as 1 | 2 | 4, value);
    ports.read(0x510 + ((value >>> 4) & 15), 4);
  }
});

test('file names are checked', () => {
  const { fwCfg } = board();
  assert.throws(() => fwCfg.add('etc/table', new Uint8Array(1)), /twice/);
  assert.throws(() => fwCfg.add('', new Uint8Array(1)), /55/);
  assert.throws(() => fwCfg.add('x'.repeat(56), new Uint8Array(1)), /55/);
});

test('save and restore keep position and written files', () => {
  const a = board();
  a.memory.write(
    0x2000,
    Uint8Array.from('restored', (c) => c.charCodeAt(0)),
  );
  a.dma(0x0021_0018, 8, 0x2000);
  a.select(0x20);
  a.bytes(17);
  a.ports.write(0x514, 4, 0x0100_0000);
  const b = board();
  b.fwCfg.restore(structuredClone(a.fwCfg.save()));
  assert.deepEqual(b.bytes(5), a.bytes(5));
  b.select(0x21);
  assert.equal(text(b.bytes(8)), 'restored');
  b.fwCfg.reset();
  assert.equal(text(b.bytes(4)), 'QEMU');
});
