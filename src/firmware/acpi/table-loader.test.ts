import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AcpiBoard } from './board.ts';
import { buildAcpiFiles } from './table-loader.ts';

const board: AcpiBoard = {
  apicIds: [0, 1],
  ioApicId: 2,
  hpet: { address: 0xfed0_0000, eventTimerBlockId: 0x8086_a201 },
  pci: { memoryWindows: [{ start: 0x8000_0000, length: 0x7ec0_0000 }], intxGsis: [16, 17, 18, 19] },
  serialPorts: [{ port: 0x3f8, irq: 4 }],
  fwCfg: true,
  pmTimerBits: 32,
  vga: false,
};

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes).replace(/\0.*$/s, '');
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

/** Does what the script says, as its description has it, with `tables` at 0x1FFF0000 and `rsdp` at 0xF5A00. */
function load(): { memory: Map<number, Uint8Array>; at: (address: number, length: number) => Uint8Array } {
  const files = new Map(buildAcpiFiles(board).map(({ name, bytes }) => [name, bytes.slice()]));
  const script = files.get('etc/table-loader') as Uint8Array;
  assert.equal(script.length % 128, 0);
  const places = new Map<string, number>();
  const memory = new Map<number, Uint8Array>();
  const fileOf = (name: string): Uint8Array => {
    assert.ok(places.has(name), `${name} is allocated before it is used`);
    return files.get(name) as Uint8Array;
  };
  for (let offset = 0; offset < script.length; offset += 128) {
    const entry = script.slice(offset, offset + 128);
    const view = new DataView(entry.buffer);
    const name = text(entry.subarray(4, 60));
    switch (view.getUint32(0, true)) {
      case 1: {
        const address = entry[64] === 1 ? 0x1fff_0000 : 0xf_5a00;
        assert.equal(address % view.getUint32(60, true), 0);
        places.set(name, address);
        memory.set(address, files.get(name) as Uint8Array);
        break;
      }
      case 2: {
        const target = fileOf(name);
        fileOf(text(entry.subarray(60, 116)));
        const source = places.get(text(entry.subarray(60, 116))) as number;
        const number = new DataView(target.buffer, view.getUint32(116, true), entry[120]);
        if (entry[120] === 8) number.setBigUint64(0, number.getBigUint64(0, true) + BigInt(source), true);
        else number.setUint32(0, number.getUint32(0, true) + source, true);
        break;
      }
      case 3: {
        const target = fileOf(name);
        const start = view.getUint32(64, true);
        const at = view.getUint32(60, true);
        target[at] = (target[at] as number) - sum(target.subarray(start, start + view.getUint32(68, true)));
        break;
      }
      default:
        assert.fail(`command ${view.getUint32(0, true)}`);
    }
  }
  const at = (address: number, length: number): Uint8Array => {
    for (const [start, bytes] of memory) {
      const offset = address - start;
      if (offset >= 0 && offset + length <= bytes.length) return bytes.slice(offset, offset + length);
    }
    throw new Error(`nothing lies at 0x${address.toString(16)}`);
  };
  return { memory, at };
}

test('firmware that follows the script has tables that are reached both ways, with right checksums', () => {
  const { at } = load();
  const rsdp = at(0xf_5a00, 36);
  assert.equal(text(rsdp.subarray(0, 8)), 'RSD PTR ');
  assert.deepEqual([sum(rsdp.subarray(0, 20)), sum(rsdp)], [0, 0]);
  const u32 = (address: number): number => new DataView(at(address, 4).buffer).getUint32(0, true);
  const u64 = (address: number): number => Number(new DataView(at(address, 8).buffer).getBigUint64(0, true));
  const table = (address: number): string => {
    assert.equal(sum(at(address, u32(address + 4))), 0);
    return text(at(address, 4));
  };
  const listed = (root: number, width: 4 | 8): string[] => {
    table(root);
    const count = (u32(root + 4) - 36) / width;
    return Array.from({ length: count }, (_, i) => table((width === 4 ? u32 : u64)(root + 36 + i * width)));
  };
  assert.deepEqual(listed(u32(0xf_5a00 + 16), 4), ['FACP', 'APIC', 'HPET']);
  assert.deepEqual(listed(u64(0xf_5a00 + 24), 8), ['FACP', 'APIC', 'HPET']);
  const fadt = u32(u32(0xf_5a00 + 16) + 36);
  assert.equal(text(at(u32(fadt + 36), 4)), 'FACS');
  assert.equal(u32(fadt + 36) % 64, 0);
  assert.equal(table(u32(fadt + 40)), 'DSDT');
  assert.equal(u64(fadt + 140), u32(fadt + 40));
});
