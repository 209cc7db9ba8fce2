import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firmwareFiles, installFirmwareRom } from './firmware-rom.ts';
import { buildMemoryMap } from './memory-map.ts';
import { guestMemory, mib } from './testing/guest.ts';

const board = {
  apicIds: [0],
  ioApicId: 1,
  hpet: undefined,
  pci: undefined,
  serialPorts: [],
  fwCfg: true,
  pmTimerBits: 32,
  vga: false,
} as const;

test('the end of the image lies below 1 MiB, as much of it as fits there', () => {
  for (const kilobytes of [64, 128, 256, 4096]) {
    const memory = guestMemory(4 * mib);
    const image = Uint8Array.from({ length: kilobytes * 1024 }, (_, i) => (i >> 10) + 1);
    assert.ok(installFirmwareRom(memory, image).ok);
    const low = Math.min(image.length, 256 * 1024);
    assert.deepEqual(memory.read(0x10_0000 - low, low), image.subarray(image.length - low));
    assert.equal(memory.readU8(0x10_0000 - low - 1), 0);
    assert.equal(memory.readU8(0x10_0000), 0);
  }
});

test('what is no image, and memory that has no room for one, are refused', () => {
  const refusal = (bytes: number, memory = 4 * mib): string => {
    const installed = installFirmwareRom(guestMemory(memory), new Uint8Array(bytes));
    assert.ok(!installed.ok);
    return installed.error.message;
  };
  for (const bytes of [0, 1, 0x1_0001, 17 * mib])
    assert.match(refusal(bytes), new RegExp(`^The firmware has ${bytes} b`));
  assert.match(refusal(0x2_0000, mib), /2 MiB of memory/);
});

test('the files: RAM, SMBIOS with its length, the port of the console', () => {
  const memory = guestMemory(64 * mib);
  const smbios = {
    version: '1',
    uuid: new Uint8Array(16),
    processorName: 'x',
    processors: { sockets: 1, cores: 1, threads: 1 },
    memoryMap: buildMemoryMap(memory),
  };
  const files = new Map(firmwareFiles(memory, board, smbios, 0x3f8).map(({ name, bytes }) => [name, bytes]));
  const view = (name: string): DataView => new DataView((files.get(name) as Uint8Array).buffer);
  const e820 = view('etc/e820');
  assert.deepEqual([e820.byteLength, e820.getUint32(16, true)], [20, 1]);
  assert.deepEqual([e820.getBigUint64(0, true), e820.getBigUint64(8, true)], [0n, 64n * 2n ** 20n]);
  assert.equal(view('etc/smbios/smbios-anchor').getUint32(12, true), files.get('etc/smbios/smbios-tables')?.length);
  assert.equal(view('etc/sercon-port').getUint16(0, true), 0x3f8);
  for (const name of files.keys()) assert.match(name, /^etc\/[a-z0-9/-]{1,51}$/);
});
