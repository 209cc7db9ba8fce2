import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MemoryRange } from './memory-map.ts';
import { buildMemoryMap } from './memory-map.ts';
import { buildSmbiosEntryPoint, buildSmbiosTable, installSmbios, type SmbiosMachine } from './smbios.ts';
import { guestMemory, mib } from './testing/guest.ts';
import { runTool, withFiles } from './testing/tool.ts';

const gib = 1024 * mib;
const oneSocket = { sockets: 1, cores: 4, threads: 1 };
const machine = (memoryMap: readonly MemoryRange[], processors = oneSocket): SmbiosMachine => ({
  version: '0.1',
  uuid: Uint8Array.from({ length: 16 }, (_, index) => index * 17),
  processorName: 'Test processor',
  processors,
  memoryMap,
});

/** What dmidecode says of the tables, in the layout of its own dumps: entry point at 0, structures at 32. */
function decode(of: SmbiosMachine): string {
  const table = buildSmbiosTable(of);
  const dump = new Uint8Array(32 + table.length);
  dump.set(buildSmbiosEntryPoint(32, table.length));
  dump.set(table, 32);
  return withFiles({ dump }, (directory) => {
    const { status, output } = runTool('dmidecode', 'dmidecode', ['--from-dump', 'dump'], directory);
    assert.equal(status, 0, output);
    return output;
  });
}

describe('SMBIOS', () => {
  it('is found by searching 0xF0000–0xFFFFF on 16-byte boundaries', () => {
    const memory = guestMemory(4 * mib);
    const address = installSmbios(memory, machine(buildMemoryMap(memory)));
    const found: number[] = [];
    for (let at = 0xf_0000; at < 0x10_0000; at += 16) {
      if (memory.readU32(at) === 0x334d_535f && memory.readU8(at + 4) === 0x5f) found.push(at);
    }
    assert.deepEqual(found, [address]);
    assert.equal(memory.readU8(address + 6), 24);
    assert.equal(
      memory.read(address, 24).reduce((sum, byte) => (sum + byte) & 0xff, 0),
      0,
    );
    const table = Number(memory.readU64(address + 16));
    assert.ok(table >= address + 24 && table + memory.readU32(address + 12) <= 0x10_0000);
    assert.equal(memory.readU8(table), 0, 'type 0 comes first');
  });

  it('tells dmidecode about the machine', () => {
    const output = decode(machine([{ start: 0x10_0000, length: 511 * mib, type: 1 }]));
    assert.doesNotMatch(output, /truncated|wrong|bad|invalid|out of spec|unknown type|broken|not.*terminated/i);
    assert.match(output, /SMBIOS 3\.0\.0 present/);
    assert.match(output, /System is a virtual machine/);
    assert.match(output, /UUID: 00112233-4455-6677-8899-aabbccddeeff/i);
    assert.match(output, /Version: Test processor/);
    assert.match(output, /Core Count: 4/);
    assert.match(output, /Maximum Capacity: 512 MB/);
    assert.match(output, /^\tSize: 512 MB/m);
    assert.match(output, /Starting Address: 0x00000000000\n\tEnding Address: 0x0001FFFFFFF/);
    assert.match(output, /End Of Table/);
    const types = [...output.matchAll(/DMI type (\d+),/g)].map(([, type]) => Number(type));
    assert.deepEqual(types, [0, 1, 3, 4, 16, 17, 19, 32, 127]);
  });

  it('describes RAM beyond 4 GiB and sizes that the old fields cannot hold', () => {
    const output = decode(
      machine(
        [
          { start: 0x10_0000, length: 3 * gib - mib, type: 1 },
          { start: 4 * gib, length: 61 * gib, type: 1 },
        ],
        { sockets: 1, cores: 300, threads: 1 },
      ),
    );
    assert.match(output, /^\tSize: 64 GB/m);
    assert.match(output, /Starting Address: 0x00100000000\n\tEnding Address: 0x0103FFFFFFF\n\tRange Size: 61 GB/);
    assert.match(output, /Core Count: 300/);
  });

  it('describes every socket with its cores and threads', () => {
    const output = decode(machine([{ start: 0x10_0000, length: mib, type: 1 }], { sockets: 3, cores: 2, threads: 2 }));
    const sockets = output.split('Processor Information\n').slice(1);
    assert.equal(sockets.length, 3);
    sockets.forEach((text, socket) => {
      assert.match(text, new RegExp(`Socket Designation: CPU ${socket}\n`));
      assert.match(text, /Core Count: 2\n\tCore Enabled: 2\n\tThread Count: 4\n/);
      assert.match(text, /Multi-Core\n\t\tHardware Thread/);
    });
    const handles = [...output.matchAll(/^Handle (\w+),/gm)].map(([, handle]) => handle);
    assert.equal(new Set(handles).size, handles.length);
  });
});
