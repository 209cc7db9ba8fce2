import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apicMsr, apicRegister as reg } from '../../spec/x86/apic.ts';
import { readApicMsr, writeApicMsr } from './apic-msr.ts';
import { ApicBench, readPage, writePage } from './testing/apic-bench.ts';

const oneShot = 0x0_0040;
const periodic = 0x2_0040;
const tscDeadline = 0x4_0040;

function bench(lvtTimer: number): ApicBench {
  const result = new ApicBench();
  result.enableAll();
  writePage(result.apic, reg.divideConfiguration, 0b1011);
  writePage(result.apic, reg.lvtTimer, lvtTimer);
  return result;
}

function take(from: ApicBench): number {
  const vector = from.apic.acknowledge();
  writePage(from.apic, reg.endOfInterrupt, 0);
  return vector;
}

describe('local APIC timer', () => {
  it('counts down once in one-shot mode', () => {
    const one = bench(oneShot);
    writePage(one.apic, reg.initialCount, 1_000);
    one.run(400);
    assert.equal(readPage(one.apic, reg.currentCount), 600);
    assert.equal(one.apic.hasInterrupt(), false);
    one.run(600);
    assert.equal(take(one), 0x40);
    assert.equal(readPage(one.apic, reg.currentCount), 0);
    one.run(5_000);
    assert.equal(one.apic.hasInterrupt(), false);
    assert.equal(readPage(one.apic, reg.initialCount), 1_000);
  });

  it('divides its clock by 2, 4 … 128 and 1', () => {
    const dividers: [number, number][] = [
      [0b0000, 2],
      [0b0001, 4],
      [0b0010, 8],
      [0b0011, 16],
      [0b1000, 32],
      [0b1001, 64],
      [0b1010, 128],
      [0b1011, 1],
    ];
    for (const [value, divider] of dividers) {
      const one = bench(oneShot);
      writePage(one.apic, reg.divideConfiguration, value);
      writePage(one.apic, reg.initialCount, 100);
      one.run(100 * divider - 1);
      assert.equal(one.apic.hasInterrupt(), false, `divider ${divider}`);
      one.run(1);
      assert.equal(one.apic.hasInterrupt(), true, `divider ${divider}`);
    }
  });

  it('keeps its phase in periodic mode, and loses the ticks that nobody took', () => {
    const one = bench(periodic);
    writePage(one.apic, reg.initialCount, 1_000);
    one.run(1_010);
    assert.equal(take(one), 0x40);
    assert.equal(readPage(one.apic, reg.currentCount), 990);
    one.run(5_500);
    assert.equal(take(one), 0x40);
    assert.equal(one.apic.hasInterrupt(), false);
    assert.equal(readPage(one.apic, reg.currentCount), 490);
    writePage(one.apic, reg.initialCount, 0);
    one.run(10_000);
    assert.equal(one.apic.hasInterrupt(), false);
    assert.equal(readPage(one.apic, reg.currentCount), 0);
  });

  it('loses what expired while it was masked, even if nobody has looked at the clock since', () => {
    const one = bench(oneShot | 0x1_0000);
    writePage(one.apic, reg.initialCount, 1_000);
    one.clock.advance(2_000);
    writePage(one.apic, reg.lvtTimer, oneShot);
    one.run(10);
    assert.equal(one.apic.hasInterrupt(), false);
  });

  it('counts while it is masked, but does not interrupt', () => {
    const one = bench(periodic | 0x1_0000);
    writePage(one.apic, reg.initialCount, 1_000);
    one.run(1_500);
    assert.equal(one.apic.hasInterrupt(), false);
    assert.equal(readPage(one.apic, reg.currentCount), 500);
  });

  it('keeps the count when the divider changes', () => {
    const one = bench(oneShot);
    writePage(one.apic, reg.initialCount, 1_000);
    one.run(500);
    writePage(one.apic, reg.divideConfiguration, 0b0000);
    assert.equal(readPage(one.apic, reg.currentCount), 500);
    one.run(999);
    assert.equal(one.apic.hasInterrupt(), false);
    one.run(1);
    assert.equal(take(one), 0x40);
  });

  it('accepts the longest countdown', () => {
    const one = bench(oneShot);
    writePage(one.apic, reg.divideConfiguration, 0b1010);
    writePage(one.apic, reg.initialCount, 0xffff_ffff);
    assert.equal(readPage(one.apic, reg.currentCount), 0xffff_ffff);
    one.run(0xffff_ffff * 128);
    assert.equal(take(one), 0x40);
  });
});

describe('local APIC TSC deadline', () => {
  it('interrupts when the TSC reaches the deadline, and clears the MSR', () => {
    const one = bench(tscDeadline);
    assert.equal(writeApicMsr(one.apic, apicMsr.tscDeadline, 6_000n), true);
    assert.equal(readApicMsr(one.apic, apicMsr.tscDeadline), 6_000n);
    assert.equal(readPage(one.apic, reg.currentCount), 0);
    one.run(4_999);
    assert.equal(one.apic.hasInterrupt(), false);
    one.run(1);
    assert.equal(take(one), 0x40);
    assert.equal(readApicMsr(one.apic, apicMsr.tscDeadline), 0n);
  });

  it('interrupts at once for a deadline in the past; zero disarms', () => {
    const one = bench(tscDeadline);
    writeApicMsr(one.apic, apicMsr.tscDeadline, 1n);
    one.run(0);
    assert.equal(take(one), 0x40);
    writeApicMsr(one.apic, apicMsr.tscDeadline, 2_000n);
    writeApicMsr(one.apic, apicMsr.tscDeadline, 0n);
    one.run(1_000_000);
    assert.equal(one.apic.hasInterrupt(), false);
  });

  it('ignores the count in this mode and the deadline in the others', () => {
    const one = bench(tscDeadline);
    writePage(one.apic, reg.initialCount, 100);
    assert.equal(readPage(one.apic, reg.initialCount), 0);
    writeApicMsr(one.apic, apicMsr.tscDeadline, 2_000n);
    writePage(one.apic, reg.lvtTimer, oneShot);
    assert.equal(readApicMsr(one.apic, apicMsr.tscDeadline), 0n);
    writeApicMsr(one.apic, apicMsr.tscDeadline, 2_000n);
    one.run(10_000);
    assert.equal(one.apic.hasInterrupt(), false);
  });

  it('stays quiet for a deadline beyond the end of time', () => {
    const one = bench(tscDeadline);
    writeApicMsr(one.apic, apicMsr.tscDeadline, 0xffff_ffff_ffff_ffffn);
    one.run(1_000_000);
    assert.equal(one.apic.hasInterrupt(), false);
  });
});
