import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmioBus } from '../../device-model/mmio.ts';
import { type AccessSize, PortBus } from '../../device-model/port-io.ts';
import { rubbish, TestLine } from '../testing/test-board.ts';
import { PciFunction, type PciRegion } from './pci-function.ts';
import { PciHost } from './pci-host.ts';

/** A region of plain storage. */
function region(bar: number, kind: PciRegion['kind'], size: number) {
  const cells = new Map<number, number>();
  return {
    bar,
    kind,
    size,
    read: (offset: number) => cells.get(offset) ?? 0,
    write: (offset: number, _width: AccessSize, value: number) => void cells.set(offset, value),
  };
}

/** Bus 0 with a test function at 00:03.0: I/O BAR 0 (32 bytes), memory BAR 1 (4 KB), 64-bit BAR 4 (1 MB), INTA#. */
function board() {
  const ports = new PortBus();
  const mmio = new MmioBus();
  const pirqs = [new TestLine(), new TestLine(), new TestLine(), new TestLine()] as const;
  const host = new PciHost([...pirqs]);
  host.attach(ports);
  host.attachIoWindow(ports, 0xc000, 0xcfff);
  host.attachMemoryWindow(mmio, 0xe000_0000, 0x1000_0000);
  const device = new PciFunction(
    {
      vendorId: 0x1af4,
      deviceId: 0x1041,
      revision: 1,
      classCode: 0x020000,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x40,
    },
    {
      regions: [
        region(0, 'io', 32),
        region(1, 'memory', 4096),
        { ...region(4, 'memory64', 1 << 20), prefetchable: true },
      ],
      interrupt: { pin: 1, line: host.interruptLine(3, 1) },
    },
  );
  host.add(3, 0, device);
  const address = (dev: number, fn: number, offset: number) =>
    ports.write(0xcf8, 4, (0x8000_0000 | (dev << 11) | (fn << 8) | (offset & 0xfc)) >>> 0);
  const read = (dev: number, offset: number, size: AccessSize = 4) => {
    address(dev, 0, offset);
    return ports.read(0xcfc + (offset & 3), size);
  };
  const write = (dev: number, offset: number, size: AccessSize, value: number) => {
    address(dev, 0, offset);
    ports.write(0xcfc + (offset & 3), size, value);
  };
  return { ports, mmio, host, device, pirqs, read, write };
}

test('mechanism 1 as Linux probes for it', () => {
  const { ports } = board();
  ports.write(0xcfb, 1, 0x01);
  assert.equal(ports.read(0xcf8, 4), 0);
  ports.write(0xcf8, 4, 0x8000_0000);
  assert.equal(ports.read(0xcf8, 4), 0x8000_0000);
  ports.write(0xcf8, 1, 0x00);
  assert.equal(ports.read(0xcf8, 4), 0x8000_0000, 'a byte access is none of the bridge’s');
  assert.equal(ports.read(0xcf8, 1), 0xff, 'not a mechanism 2 machine');
  ports.write(0xcf8, 4, 0xffff_ffff);
  assert.equal(ports.read(0xcf8, 4), 0x80ff_fffc);
});

test('the bus holds a 440FX host bridge, empty places and the function', () => {
  const { ports, read } = board();
  assert.equal(read(0, 0x00), 0x1237_8086);
  assert.equal(read(0, 0x0a, 2), 0x0600);
  assert.equal(read(0, 0x0e, 1), 0x00);
  assert.equal(read(1, 0x00), 0xffff_ffff);
  assert.equal(read(3, 0x00), 0x1041_1af4);
  assert.equal(read(3, 0x08), 0x0200_0001);
  assert.equal(read(3, 0x2c), 0x0040_1af4);
  assert.equal(read(3, 0x3d, 1), 1);
  ports.write(0xcf8, 4, 0x8001_1800);
  assert.equal(ports.read(0xcfc, 4), 0xffff_ffff, 'bus 1');
  ports.write(0xcf8, 4, 0x0000_1800);
  assert.equal(ports.read(0xcfc, 4), 0xffff_ffff, 'not enabled');
});

test('the host bridge has RAM where firmware is copied to, and remembers how it is protected', () => {
  const { read, write, host } = board();
  assert.equal(read(0, 0x2c), 0x1100_1af4);
  assert.deepEqual([read(0, 0x58), read(0, 0x5c)], [0x3333_3000, 0x3333_3333]);
  write(0, 0x58, 4, 0xffff_10ff);
  assert.equal(read(0, 0x58), 0x3333_1000);
  host.reset();
  assert.equal(read(0, 0x58), 0x3333_3000);
});

test('bytes and words of a register', () => {
  const { read, write } = board();
  assert.deepEqual(
    [0, 1, 2, 3].map((offset) => read(3, offset, 1)),
    [0xf4, 0x1a, 0x41, 0x10],
  );
  assert.equal(read(3, 2, 2), 0x1041);
  write(3, 0x3c, 1, 0x0b);
  assert.equal(read(3, 0x3c), 0x0000_010b);
  write(3, 0x00, 4, 0);
  assert.equal(read(3, 0x00), 0x1041_1af4, 'identity is read-only');
});

test('BAR sizing', () => {
  const { read, write } = board();
  const sizes = [0x10, 0x14, 0x18, 0x20, 0x24].map((bar) => {
    write(3, bar, 4, 0xffff_ffff);
    return read(3, bar);
  });
  assert.deepEqual(sizes, [0xffff_ffe1, 0xffff_f000, 0, 0xfff0_000c, 0xffff_ffff]);
});

test('BARs claim accesses only when the command register enables their space', () => {
  const { ports, mmio, read, write } = board();
  write(3, 0x10, 4, 0xc040);
  write(3, 0x14, 4, 0xe010_0000);
  write(3, 0x20, 4, 0xe020_0000);
  write(3, 0x24, 4, 0);
  assert.equal(ports.read(0xc044, 4), 0xffff_ffff);
  write(3, 0x04, 2, 0x0003);
  ports.write(0xc044, 4, 0x1234_5678);
  assert.equal(ports.read(0xc044, 4), 0x1234_5678);
  assert.equal(ports.read(0xc05e, 4), 0xffff_ffff, 'across the end of the region');
  mmio.write(0xe010_0ffc, 4, 99);
  assert.equal(mmio.read(0xe010_0ffc, 4), 99);
  mmio.write(0xe020_0004, 4, 42);
  assert.equal(mmio.read(0xe020_0004, 4), 42);
  write(3, 0x14, 4, 0xe030_0000);
  assert.equal(mmio.read(0xe010_0ffc, 4), 0xffff_ffff, 'moved away');
  assert.equal(mmio.read(0xe030_0ffc, 4), 99);
  write(3, 0x24, 4, 1);
  assert.equal(mmio.read(0xe020_0004, 4), 0xffff_ffff, 'above 4 GiB');
  write(3, 0x04, 2, 0x0001);
  assert.equal(mmio.read(0xe030_0ffc, 4), 0xffff_ffff);
  assert.equal(read(3, 0x04, 2), 0x0001);
});

test('overlapping BARs are the guest’s own mistake', () => {
  const { mmio, write } = board();
  write(3, 0x14, 4, 0xe010_0000);
  write(3, 0x20, 4, 0xe010_0000);
  write(3, 0x04, 2, 0x0002);
  mmio.write(0xe010_0000, 4, 5);
  assert.equal(mmio.read(0xe010_0000, 4), 5);
});

test('INTA# shows in status, reaches its PIRQ, and can be disabled', () => {
  const { device, pirqs, read, write } = board();
  device.setInterrupt(true);
  assert.deepEqual(
    pirqs.map((line) => line.level),
    [false, false, true, false],
    'device 3 pin A is PIRQC',
  );
  assert.equal(read(3, 0x06, 2) & 0x08, 0x08);
  write(3, 0x04, 2, 0x0400);
  assert.equal(pirqs[2].level, false);
  assert.equal(read(3, 0x06, 2) & 0x08, 0x08);
  write(3, 0x04, 2, 0x0000);
  assert.equal(pirqs[2].level, true);
  device.setInterrupt(false);
  assert.equal(pirqs[2].level, false);
  assert.equal(read(3, 0x06, 2) & 0x08, 0);
});

test('pins of different devices share a PIRQ', () => {
  const { host, device, pirqs } = board();
  const other = host.interruptLine(4, 4);
  other.set(true);
  device.setInterrupt(true);
  other.set(false);
  assert.equal(pirqs[2].level, true);
});

test('capabilities form a list with writable bits of their own', () => {
  const { device, read, write } = board();
  const first = device.addCapability(0x09, Uint8Array.of(0x10, 1, 2, 3, 4), Uint8Array.of(0, 0, 0xff, 0, 0));
  const second = device.addCapability(0x11, Uint8Array.of(0x03, 0x00), Uint8Array.of(0x00, 0xc0));
  assert.equal(read(3, 0x06, 2) & 0x10, 0x10);
  assert.equal(read(3, 0x34, 1), first);
  assert.equal(read(3, first, 2), (second << 8) | 0x09);
  assert.equal(read(3, second, 2), 0x0011);
  assert.equal(second % 4, 0);
  write(3, second, 4, 0xffff_ffff);
  assert.equal(read(3, second), 0xc003_0011);
  write(3, first + 4, 1, 0x77);
  assert.equal(read(3, first + 4, 1), 0x77);
  device.reset();
  assert.equal(read(3, first + 4, 1), 2);
  assert.throws(() => device.addCapability(0x09, new Uint8Array(200), new Uint8Array(0)), /full/);
});

test('a second function makes the device multi-function; a place is taken once', () => {
  const { host, device, read } = board();
  host.add(3, 1, new PciFunction({ vendorId: 1, deviceId: 2, revision: 0, classCode: 0 }, {}));
  assert.equal(read(3, 0x0e, 1), 0x80);
  assert.throws(() => host.add(3, 0, device), /taken/);
});

test('rubbish at every port and register is survived', () => {
  const { ports, mmio, read } = board();
  for (const value of rubbish(31, 20_000)) {
    const size = [1, 2, 4][(value >>> 4) % 3] as AccessSize;
    ports.write(0xcf8, 4, (0x8000_0000 | ((value >>> 8) & 0x1fff)) >>> 0);
    ports.write(0xcfc + (value & 3), size, (value * 2_654_435_761) >>> 0);
    assert.ok(ports.read(0xcfc + ((value >>> 2) & 3), size) >= 0);
    mmio.write(0xe000_0000 + (value >>> 4), size, value);
    ports.write(0xc000 + (value & 0xfff), size, value);
  }
  assert.equal(read(3, 0x00), 0x1041_1af4);
});

test('save and restore keep BARs, command and the interrupt', () => {
  const a = board();
  a.write(3, 0x14, 4, 0xe010_0000);
  a.write(3, 0x04, 2, 0x0006);
  a.device.setInterrupt(true);
  a.ports.write(0xcf8, 4, 0x8000_1814);
  const b = board();
  b.host.restore(structuredClone(a.host.save()));
  b.device.restore(structuredClone(a.device.save()));
  assert.equal(b.ports.read(0xcfc, 4), a.ports.read(0xcfc, 4));
  assert.equal(b.pirqs[2].level, true);
  assert.equal(b.device.busMaster, true);
  b.mmio.write(0xe010_0000, 4, 1);
  assert.equal(b.mmio.read(0xe010_0000, 4), 1);
  for (let offset = 0; offset < 256; offset += 4) assert.equal(b.read(3, offset), a.read(3, offset));
  b.host.reset();
  b.device.reset();
  assert.equal(b.ports.read(0xcf8, 4), 0);
  assert.equal(b.pirqs[2].level, false);
  assert.equal(b.mmio.read(0xe010_0000, 4), 0xffff_ffff);
});
