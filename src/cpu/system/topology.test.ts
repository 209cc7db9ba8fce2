import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bareMachine, enterLongMode } from '../testing/bare-machine.ts';
import { apicIdOf, apicIdsOf, processorCount, type Topology, uniprocessor } from './topology.ts';

const code = 0x1_0000;

/** CPUID as processor `processor` of a machine answers it. */
function processorOf(topology: Topology, processor: number): (leaf: number, subleaf?: number) => number[] {
  const machine = bareMachine(4, 'never', { apicId: apicIdOf(topology, processor), topology });
  enterLongMode(machine, code);
  const { state } = machine.vcpu;
  machine.memory.write(code, Uint8Array.of(0x0f, 0xa2));
  return (leaf, subleaf = 0) => {
    state.rip = BigInt(code);
    state.setGpr32(0, leaf);
    state.setGpr32(1, subleaf);
    machine.vcpu.run(1);
    return [0, 3, 1, 2].map((register) => state.gpr32(register) >>> 0);
  };
}

/** Numbers of package, core and thread as software works them out. SDM Vol. 3A 9.9.3.2, examples 9-18 to 9-22. */
function place(cpuid: ReturnType<typeof processorOf>, leaf: number): number[] {
  const [coreShift = 0, , threadLevel = 0, id = 0] = cpuid(leaf, 0);
  const [packageShift = 0, , coreLevel = 0] = cpuid(leaf, 1);
  assert.deepEqual([threadLevel >>> 8, coreLevel >>> 8], [1, 2]);
  const thread = id & ((1 << coreShift) - 1);
  return [id >>> packageShift, (id & ((1 << packageShift) - 1)) >>> coreShift, thread];
}

const topologies: Topology[] = [
  uniprocessor,
  { sockets: 1, cores: 2, threads: 1 },
  { sockets: 1, cores: 2, threads: 2 },
  { sockets: 5, cores: 3, threads: 1 },
  { sockets: 2, cores: 3, threads: 2 },
  { sockets: 1, cores: 5, threads: 3 },
  { sockets: 16, cores: 1, threads: 1 },
];

describe('APIC IDs', () => {
  it('have fields of powers of two for thread, core and package', () => {
    assert.deepEqual(apicIdsOf(uniprocessor), [0]);
    assert.deepEqual(apicIdsOf({ sockets: 1, cores: 4, threads: 1 }), [0, 1, 2, 3]);
    assert.deepEqual(apicIdsOf({ sockets: 2, cores: 3, threads: 1 }), [0, 1, 2, 4, 5, 6]);
    assert.deepEqual(apicIdsOf({ sockets: 1, cores: 2, threads: 3 }), [0, 1, 2, 4, 5, 6]);
    assert.deepEqual(apicIdsOf({ sockets: 2, cores: 3, threads: 2 }), [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]);
  });
});

describe('CPUID', () => {
  for (const topology of topologies) {
    const { sockets, cores, threads } = topology;
    it(`tells every processor of ${sockets} × ${cores} × ${threads} its place`, () => {
      for (let processor = 0; processor < processorCount(topology); processor++) {
        const cpuid = processorOf(topology, processor);
        const core = Math.floor(processor / threads);
        const expected = [Math.floor(core / cores), core % cores, processor % threads];
        assert.deepEqual(place(cpuid, 0xb), expected);
        assert.deepEqual(place(cpuid, 0x1f), expected);
        const [, ebx = 0] = cpuid(1);
        assert.equal(ebx >>> 24, apicIdOf(topology, processor));
      }
    });

    it(`counts the threads and cores of ${sockets} × ${cores} × ${threads}`, () => {
      const cpuid = processorOf(topology, 0);
      assert.equal(cpuid(0xb, 0)[1], threads);
      assert.equal(cpuid(0xb, 1)[1], cores * threads);
      const [, ebx = 0, , edx = 0] = cpuid(1);
      const ids = (ebx >>> 16) & 0xff;
      assert.ok(ids >= cores * threads && ids < 4 * cores * threads && Number.isInteger(Math.log2(ids)));
      assert.equal((edx >>> 28) & 1, cores * threads > 1 ? 1 : 0);
      // What Linux works out for cores without leaf 0xB, and for caches.
      for (const subleaf of [0, 1, 2]) {
        const [eax = 0] = cpuid(4, subleaf);
        assert.equal(((eax >>> 26) + 1) * (((eax >>> 14) & 0xfff) + 1), ids);
      }
      assert.deepEqual(cpuid(0xb, 2), [0, 0, 2, 0]);
    });
  }
});
