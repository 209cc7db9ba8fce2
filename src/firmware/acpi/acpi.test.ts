import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { guestMemory, mib } from '../testing/guest.ts';
import { runTool, withFiles } from '../testing/tool.ts';
import type { AcpiBoard } from './board.ts';
import { buildAcpi, installAcpi } from './install.ts';

const full: AcpiBoard = {
  apicIds: [0, 1, 254, 300],
  ioApicId: 5,
  hpet: { address: 0xfed0_0000, eventTimerBlockId: 0x8086_a201 },
  pci: {
    memoryWindows: [
      { start: 0xc000_0000, length: 0x3ec0_0000 },
      { start: 0x2_0000_0000, length: 0x4000_0000 },
    ],
    intxGsis: [16, 17, 18, 19, 20, 21, 22, 23],
  },
  serialPorts: [
    { port: 0x3f8, irq: 4 },
    { port: 0x2f8, irq: 3 },
  ],
  fwCfg: true,
  pmTimerBits: 32,
  vga: false,
};

const bare: AcpiBoard = {
  apicIds: [0],
  ioApicId: 0,
  hpet: undefined,
  pci: undefined,
  serialPorts: [],
  fwCfg: false,
  pmTimerBits: 24,
  vga: true,
};

const signatureOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes.subarray(0, 4));
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

/** Tables by signature; the root pointer is 'RSD '. */
function tablesOf(board: AcpiBoard): Map<string, Uint8Array> {
  const built = buildAcpi(board);
  assert.ok(built.ok);
  return new Map(built.value.tables.map(({ bytes }) => [signatureOf(bytes), bytes]));
}

function table(board: AcpiBoard, signature: string): DataView {
  const bytes = tablesOf(board).get(signature);
  assert.ok(bytes !== undefined, signature);
  return new DataView(bytes.buffer);
}

describe('ACPI tables in memory', () => {
  const memory = guestMemory(4 * mib);
  let rsdp = 0;

  before(() => {
    const installed = installAcpi(memory, full);
    assert.ok(installed.ok);
    rsdp = installed.value.rsdpAddress;
  });

  /** What an operating system does without a pointer from its loader. ACPI Specification 6.3, 5.2.5.1. */
  it('are found by searching 0xE0000–0xFFFFF on 16-byte boundaries', () => {
    const found: number[] = [];
    for (let at = 0xe_0000; at < 0x10_0000; at += 16) {
      if (memory.readU64(at) === 0x2052_5450_2044_5352n) found.push(at);
    }
    assert.deepEqual(found, [rsdp]);
    assert.equal(sum(memory.read(rsdp, 20)), 0);
    assert.equal(sum(memory.read(rsdp, 36)), 0);
    assert.equal(memory.readU8(rsdp + 15), 2);
  });

  it('are reached through RSDT and XSDT alike, with right checksums', () => {
    const reached = (root: number, width: 4 | 8): string[] => {
      const length = memory.readU32(root + 4);
      assert.equal(sum(memory.read(root, length)), 0);
      return Array.from({ length: (length - 36) / width }, (_, index) => {
        const at = memory.readU32(root + 36 + index * width);
        assert.equal(sum(memory.read(at, memory.readU32(at + 4))), 0);
        return signatureOf(memory.read(at, 4));
      });
    };
    const expected = ['FACP', 'APIC', 'HPET'];
    assert.deepEqual(reached(memory.readU32(rsdp + 16), 4), expected);
    assert.deepEqual(reached(Number(memory.readU64(rsdp + 24)), 8), expected);
    const fadt = memory.readU32(memory.readU32(rsdp + 16) + 36);
    const [facs, dsdt] = [memory.readU32(fadt + 36), memory.readU32(fadt + 40)];
    assert.equal(signatureOf(memory.read(facs, 4)), 'FACS');
    assert.equal(facs % 64, 0);
    assert.equal(signatureOf(memory.read(dsdt, 4)), 'DSDT');
    assert.equal(sum(memory.read(dsdt, memory.readU32(dsdt + 4))), 0);
    assert.equal(memory.readU64(fadt + 140), BigInt(dsdt));
  });

  it('do not overlap and stay below the SMBIOS region', () => {
    const built = buildAcpi(full);
    assert.ok(built.ok);
    let end = 0xe_0000;
    for (const { address, bytes } of built.value.tables) {
      assert.ok(address >= end);
      end = address + bytes.length;
    }
    assert.ok(end <= 0xf_0000);
  });

  it('are refused if there are too many processors for the region', () => {
    const built = buildAcpi({ ...full, apicIds: Array.from({ length: 4000 }, (_, id) => id) });
    assert.ok(!built.ok);
    assert.match(built.error.message, /fewer processors/);
  });
});

describe('FADT', () => {
  it('names the power-management ports, the SCI and the reset register', () => {
    const fadt = table(full, 'FACP');
    assert.ok(fadt.getUint8(8) >= 5);
    assert.equal(fadt.getUint16(46, true), 9);
    assert.equal(fadt.getUint32(48, true), 0, 'no SMI command: always in ACPI mode');
    assert.deepEqual([fadt.getUint32(56, true), fadt.getUint8(88)], [0x600, 4]);
    assert.deepEqual([fadt.getUint32(64, true), fadt.getUint8(89)], [0x604, 2]);
    assert.deepEqual([fadt.getUint32(76, true), fadt.getUint8(91)], [0x608, 4]);
    assert.deepEqual([fadt.getUint8(116), fadt.getUint8(117)], [1, 8]);
    assert.equal(fadt.getBigUint64(120, true), 0xcf9n);
    assert.equal(fadt.getUint8(128), 6);
    assert.equal(fadt.getUint32(112, true) & (1 << 10), 1 << 10);
  });

  it('tells the width of the PM timer, and whether there is a VGA', () => {
    assert.equal(table(full, 'FACP').getUint32(112, true) & (1 << 8), 1 << 8);
    assert.equal(table(bare, 'FACP').getUint32(112, true) & (1 << 8), 0);
    assert.equal(table(full, 'FACP').getUint16(109, true), 0b111);
    assert.equal(table(bare, 'FACP').getUint16(109, true), 0b011);
  });
});

/** Types of the structures in a MADT with their bytes. */
function madtStructures(board: AcpiBoard): { type: number; body: number[] }[] {
  const madt = table(board, 'APIC');
  const structures: { type: number; body: number[] }[] = [];
  for (let at = 44; at < madt.byteLength; at += madt.getUint8(at + 1)) {
    const body = Array.from({ length: madt.getUint8(at + 1) - 2 }, (_, index) => madt.getUint8(at + 2 + index));
    structures.push({ type: madt.getUint8(at), body });
  }
  return structures;
}

describe('MADT', () => {
  it('lists processors, the I/O APIC, the overrides and the NMI pin', () => {
    assert.equal(table(full, 'APIC').getUint32(36, true), 0xfee0_0000);
    assert.equal(table(full, 'APIC').getUint32(40, true), 1);
    assert.deepEqual(madtStructures(full), [
      { type: 0, body: [0, 0, 1, 0, 0, 0] },
      { type: 0, body: [1, 1, 1, 0, 0, 0] },
      { type: 0, body: [2, 254, 1, 0, 0, 0] },
      { type: 9, body: [0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0] },
      { type: 1, body: [5, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0] },
      { type: 2, body: [0, 0, 2, 0, 0, 0, 0, 0] },
      { type: 2, body: [0, 9, 9, 0, 0, 0, 0x0d, 0] },
      { type: 4, body: [0xff, 0, 0, 1] },
      { type: 10, body: [0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0] },
    ]);
  });

  it('has no x2APIC structures without large IDs', () => {
    assert.deepEqual(
      madtStructures(bare).map(({ type }) => type),
      [0, 1, 2, 2, 4],
    );
  });
});

describe('tables as iasl reads them', () => {
  for (const [name, board] of Object.entries({ full, bare })) {
    it(`disassemble without complaint (${name})`, () => {
      const files = Object.fromEntries([...tablesOf(board)].map(([signature, bytes]) => [`${signature}.dat`, bytes]));
      // The root pointer is no table: iasl does not read it.
      delete files['RSD .dat'];
      withFiles(files, (directory) => {
        for (const file of Object.keys(files)) {
          const { status, output } = runTool('iasl', 'acpica-tools', ['-d', file], directory);
          assert.equal(status, 0, output);
          assert.doesNotMatch(output, /error|warning|invalid|unknown|does not|corrupt/i);
          const source = readFileSync(join(directory, file.replace('.dat', '.dsl')), 'utf8');
          assert.doesNotMatch(source, /error|warning|invalid|incorrect/i, file);
          if (file !== 'DSDT.dat') continue;
          const compiled = runTool('iasl', 'acpica-tools', ['-tc', 'DSDT.dsl'], directory);
          assert.match(compiled.output, /0 Errors, 0 Warnings, 0 Remarks/);
        }
      });
    });
  }

  it('describe the devices of the board', () => {
    const bytes = tablesOf(full).get('DSDT') ?? new Uint8Array(0);
    const source = withFiles({ 'dsdt.dat': bytes }, (directory) => {
      runTool('iasl', 'acpica-tools', ['-d', 'dsdt.dat'], directory);
      return readFileSync(join(directory, 'dsdt.dsl'), 'utf8').replace(/\s*\/\*.*?\*\/|\s*\/\/.*$/gm, '');
    }).replace(/\s+/g, ' ');
    for (const id of ['PNP0A03', 'PNP0B00', 'PNP0303', 'PNP0F13', 'PNP0501', 'PNP0103']) {
      assert.ok(source.includes(`EisaId ("${id}")`), id);
    }
    assert.ok(source.includes('"QEMU0002"'));
    assert.equal(source.split('"ACPI0007"').length - 1, 4);
    assert.match(source, /Name \(\\_S5, Package \(0x04\) \{ 0x05, 0x05, Zero, Zero \}\)/);
    assert.match(source, /Device \(COM2\).*?0x02F8, 0x02F8, 0x01, 0x08, \) IRQNoFlags \(\) \{3\}/);
    assert.match(source, /Device \(MOU\).*?IRQNoFlags \(\) \{12\}/);
    assert.match(source, /0x0000000200000000, 0x000000023FFFFFFF/);
    const routes = [
      ...source.matchAll(/Package \(0x04\) \{ 0x([0-9A-F]+|FFFF), (Zero|One|0x0[23]), Zero, 0x(\w\w) \}/g),
    ];
    assert.equal(routes.length, 128);
    const gsiOf = (slot: number, pin: number): number => Number.parseInt(routes[slot * 4 + pin]?.[3] ?? '', 16);
    assert.deepEqual([gsiOf(0, 0), gsiOf(0, 3), gsiOf(1, 0), gsiOf(7, 3), gsiOf(31, 0)], [16, 19, 17, 18, 23]);
  });
});
