import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apicMsr, apicRegister as reg } from '../../spec/x86/apic.ts';
import { isApicMsr, readApicMsr, writeApicMsr } from './apic-msr.ts';
import { ApicBench, readPage, takeAll, writePage } from './testing/apic-bench.ts';

const disabled = 0xfee0_0100n;
const xapic = 0xfee0_0900n;
const x2apic = 0xfee0_0d00n;
const msrOf = (offset: number): number => apicMsr.x2apicFirst + (offset >>> 4);

function inX2apic(ids: readonly number[] = [0]): ApicBench {
  const bench = new ApicBench(ids);
  bench.enableAll();
  bench.processors.forEach(({ apic }, index) => {
    assert.equal(writeApicMsr(apic, apicMsr.base, index === 0 ? x2apic : x2apic & ~0x100n), true);
  });
  return bench;
}

describe('IA32_APIC_BASE', () => {
  it('starts enabled at 0xFEE00000, with the BSP bit on the first processor only', () => {
    const bench = new ApicBench([0, 1]);
    assert.equal(readApicMsr(bench.apic, apicMsr.base), xapic);
    assert.equal(readApicMsr(bench.cpu(1).apic, apicMsr.base), 0xfee0_0800n);
    assert.equal(bench.apic.mmioAddress, 0xfee0_0000);
  });

  it('allows exactly the transitions of SDM Vol. 3A figure 12-27', () => {
    const invalid = 0xfee0_0500n;
    const states = { disabled: [disabled], xapic: [xapic], x2apic: [x2apic] } as const;
    const paths = { disabled: [disabled], xapic: [], x2apic: [x2apic] } as const;
    const legal: Record<keyof typeof states, bigint[]> = {
      disabled: [disabled, xapic],
      xapic: [disabled, xapic, x2apic],
      x2apic: [disabled, x2apic],
    };
    for (const from of ['disabled', 'xapic', 'x2apic'] as const) {
      for (const to of [disabled, xapic, x2apic, invalid]) {
        const { apic } = new ApicBench();
        for (const step of paths[from]) assert.equal(apic.writeBase(step), true);
        assert.equal(apic.writeBase(to), legal[from].includes(to), `${from} to ${to.toString(16)}`);
        assert.equal(apic.base, legal[from].includes(to) ? to : states[from][0]);
      }
    }
  });

  it('refuses reserved bits', () => {
    const { apic } = new ApicBench();
    for (const bit of [0n, 7n, 9n, 40n, 63n]) assert.equal(apic.writeBase(xapic | (1n << bit)), false, `bit ${bit}`);
  });

  it('moves the register page and hides it outside xAPIC mode', () => {
    const bench = new ApicBench();
    assert.equal(bench.apic.writeBase(0x1_2345_6900n), true);
    assert.equal(bench.apic.mmioAddress, 0x1_2345_6000);
    assert.deepEqual(bench.cpu(0).events, ['mmioMoved']);
    assert.equal(bench.apic.writeBase(0x1_2345_6d00n), true);
    assert.equal(bench.apic.mmioAddress, -1);
    assert.equal(readPage(bench.apic, reg.version), 0xffff_ffff);
  });

  it('forgets its state when it is disabled', () => {
    const bench = new ApicBench();
    bench.enableAll();
    bench.bus.deliver(0xfee0_0000, 0x55);
    bench.apic.writeBase(disabled);
    assert.equal(bench.apic.hasInterrupt(), false);
    bench.apic.writeBase(xapic);
    assert.equal(readPage(bench.apic, reg.spuriousVector), 0xff);
    assert.equal(bench.apic.hasInterrupt(), false);
  });
});

describe('x2APIC registers', () => {
  it('keeps pending interrupts and settings when it is entered', () => {
    const bench = new ApicBench();
    bench.enableAll();
    writePage(bench.apic, reg.lvtLint1, 0x400);
    bench.bus.deliver(0xfee0_0000, 0x55);
    bench.apic.writeBase(x2apic);
    assert.equal(readApicMsr(bench.apic, msrOf(reg.lvtLint1)), 0x400n);
    assert.equal(bench.apic.acknowledge(), 0x55);
    assert.equal(writeApicMsr(bench.apic, msrOf(reg.endOfInterrupt), 0n), true);
  });

  it('shows a 32-bit ID and derives the logical one from it', () => {
    const bench = inX2apic([0x1234]);
    assert.equal(readApicMsr(bench.apic, 0x802), 0x1234n);
    assert.equal(readApicMsr(bench.apic, 0x80d), 0x123_0010n);
  });

  it('answers #GP in xAPIC mode', () => {
    const { apic } = new ApicBench();
    assert.equal(readApicMsr(apic, 0x802), undefined);
    assert.equal(writeApicMsr(apic, 0x808, 0n), false);
  });

  it('answers #GP for registers that do not exist or cannot be read or written', () => {
    const { apic } = inX2apic();
    const unreadable = [0x800, 0x801, 0x804, 0x809, 0x80b, 0x80c, 0x80e, 0x829, 0x82f, 0x831, 0x83a, 0x83f];
    for (const msr of unreadable) assert.equal(readApicMsr(apic, msr), undefined, msr.toString(16));
    const unwritable = [
      0x800, 0x802, 0x803, 0x80a, 0x80c, 0x80d, 0x80e, 0x810, 0x818, 0x820, 0x82f, 0x831, 0x839, 0x83a,
    ];
    for (const msr of unwritable) assert.equal(writeApicMsr(apic, msr, 0n), false, msr.toString(16));
  });

  it('answers #GP for reserved bits', () => {
    const { apic } = inX2apic();
    const cases: [number, bigint][] = [
      [0x808, 0x100n],
      [0x80b, 1n],
      [0x80f, 0x1_0000n],
      [0x828, 1n],
      [0x830, 0x1000n],
      [0x830, 0x10_0000n],
      [0x832, 0x8_0000n],
      [0x835, 0x1_0000_0000n],
      [0x83e, 4n],
      [0x83f, 0x100n],
    ];
    for (const [msr, value] of cases) assert.equal(writeApicMsr(apic, msr, value), false, msr.toString(16));
    assert.equal(writeApicMsr(apic, 0x808, 0x20n), true);
    assert.equal(readApicMsr(apic, 0x808), 0x20n);
  });

  it('sends with one 64-bit write, and to itself with SELF IPI', () => {
    const bench = inX2apic([0, 0x101]);
    assert.equal(writeApicMsr(bench.apic, 0x830, 0x0000_0101_0000_0077n), true);
    assert.equal(readApicMsr(bench.apic, 0x830), 0x0000_0101_0000_0077n);
    assert.deepEqual(takeAll(bench.cpu(1).apic), [0x77]);
    assert.equal(writeApicMsr(bench.apic, 0x83f, 0x88n), true);
    assert.deepEqual(takeAll(bench.apic), [0x88]);
    // Logical: cluster 0x10, member 1.
    writeApicMsr(bench.apic, 0x830, 0x0010_0002_0000_0899n);
    assert.deepEqual(takeAll(bench.cpu(1).apic), [0x99]);
    assert.equal(bench.apic.hasInterrupt(), false);
    // Broadcast.
    writeApicMsr(bench.apic, 0x830, 0xffff_ffff_0000_00a9n);
    assert.deepEqual(takeAll(bench.cpu(1).apic), [0xa9]);
    assert.deepEqual(takeAll(bench.apic), [0xa9]);
  });

  it('stays in x2APIC mode through INIT', () => {
    const bench = inX2apic([0, 1]);
    writeApicMsr(bench.apic, 0x830, 0x0000_0001_0000_4500n);
    assert.ok(bench.cpu(1).events.includes('init'));
    assert.equal(bench.cpu(1).apic.x2apic, true);
    assert.equal(readApicMsr(bench.cpu(1).apic, 0x80f), 0xffn);
  });

  it('knows its MSRs', () => {
    assert.deepEqual([0x1b, 0x6e0, 0x800, 0x83f].map(isApicMsr), [true, true, true, true]);
    assert.deepEqual([0x1a, 0x7ff, 0x840, 0xc000_0080].map(isApicMsr), [false, false, false, false]);
  });
});
