import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apicError, apicRegister as reg } from '../../spec/x86/apic.ts';
import { ApicBench, readPage, takeAll, writePage } from './testing/apic-bench.ts';
import { enableVirtualWire } from './virtual-wire.ts';

const msi = 0xfee0_0000;

describe('local APIC after reset', () => {
  it('has the values of SDM Vol. 3A 12.4.7.1', () => {
    const { apic } = new ApicBench([3]);
    assert.equal(readPage(apic, reg.id), 0x0300_0000);
    assert.equal(readPage(apic, reg.version) & 0xff, 0x14);
    assert.equal((readPage(apic, reg.version) >>> 16) & 0xff, 5);
    assert.equal(readPage(apic, reg.spuriousVector), 0xff);
    assert.equal(readPage(apic, reg.destinationFormat), 0xffff_ffff);
    assert.equal(readPage(apic, reg.logicalDestination), 0);
    for (const lvt of [reg.lvtTimer, reg.lvtThermal, reg.lvtPerformance, reg.lvtLint0, reg.lvtLint1, reg.lvtError]) {
      assert.equal(readPage(apic, lvt), 0x1_0000);
    }
    assert.equal(apic.hasInterrupt(), false);
    assert.equal(apic.highestPending(), -1);
  });

  it('takes no fixed interrupts and keeps its LVT masked until software enables it', () => {
    const bench = new ApicBench();
    bench.bus.deliver(msi, 0x41);
    assert.equal(bench.apic.hasInterrupt(), false);
    writePage(bench.apic, reg.lvtTimer, 0x30);
    assert.equal(readPage(bench.apic, reg.lvtTimer), 0x1_0030);
    bench.enableAll();
    writePage(bench.apic, reg.lvtTimer, 0x30);
    assert.equal(readPage(bench.apic, reg.lvtTimer), 0x30);
    writePage(bench.apic, reg.spuriousVector, 0xff);
    assert.equal(readPage(bench.apic, reg.lvtTimer), 0x1_0030);
  });
});

describe('local APIC priorities', () => {
  it('delivers the highest vector first and holds back its class and lower ones until EOI', () => {
    const bench = new ApicBench();
    bench.enableAll();
    for (const vector of [0x31, 0x52, 0x55]) bench.bus.deliver(msi, vector);
    assert.equal(bench.apic.highestPending(), 0x55);
    assert.equal(bench.apic.acknowledge(), 0x55);
    assert.equal(readPage(bench.apic, reg.processorPriority), 0x50);
    assert.equal(bench.apic.hasInterrupt(), false, '0x52 has the class of 0x55');
    bench.bus.deliver(msi, 0x61);
    assert.equal(bench.apic.acknowledge(), 0x61, 'a higher class interrupts the handler');
    assert.equal(readPage(bench.apic, reg.inService + 0x20), 1 << 0x15);
    assert.equal(readPage(bench.apic, reg.inService + 0x30), 1 << 1);
    assert.equal(readPage(bench.apic, reg.interruptRequest + 0x20), 1 << 0x12);
    writePage(bench.apic, reg.endOfInterrupt, 0);
    assert.equal(bench.apic.hasInterrupt(), false);
    writePage(bench.apic, reg.endOfInterrupt, 0);
    assert.equal(bench.apic.acknowledge(), 0x52);
    writePage(bench.apic, reg.endOfInterrupt, 0);
    assert.equal(bench.apic.acknowledge(), 0x31);
    writePage(bench.apic, reg.endOfInterrupt, 0);
    writePage(bench.apic, reg.endOfInterrupt, 0);
    assert.equal(readPage(bench.apic, reg.processorPriority), 0);
  });

  it('compares classes with the task priority, which CR8 mirrors', () => {
    const bench = new ApicBench();
    bench.enableAll();
    writePage(bench.apic, reg.taskPriority, 0x4f);
    assert.equal(bench.apic.cr8, 4);
    bench.bus.deliver(msi, 0x4f);
    assert.equal(bench.apic.hasInterrupt(), false);
    assert.equal(readPage(bench.apic, reg.processorPriority), 0x4f);
    bench.apic.cr8 = 3;
    assert.equal(readPage(bench.apic, reg.taskPriority), 0x30);
    assert.equal(bench.apic.acknowledge(), 0x4f);
    assert.equal(readPage(bench.apic, reg.processorPriority), 0x40);
  });

  it('gives the spurious vector, and nothing in service, when the interrupt is gone', () => {
    const bench = new ApicBench();
    bench.enableAll();
    assert.equal(bench.apic.acknowledge(), 0xff);
    assert.equal(readPage(bench.apic, reg.processorPriority), 0);
  });

  it('tells the processor when an interrupt becomes deliverable and when none is left', () => {
    const bench = new ApicBench();
    bench.enableAll();
    const { events } = bench.cpu(0);
    events.length = 0;
    bench.bus.deliver(msi, 0x41);
    bench.bus.deliver(msi, 0x42);
    assert.deepEqual(events, ['changed']);
    bench.apic.acknowledge();
    assert.deepEqual(events, ['changed', 'changed']);
  });

  it('merges requests of one vector', () => {
    const bench = new ApicBench();
    bench.enableAll();
    for (let count = 0; count < 5; count++) bench.bus.deliver(msi, 0x41);
    assert.deepEqual(takeAll(bench.apic), [0x41]);
  });
});

describe('local APIC errors', () => {
  it('shows errors after a write of ESR only, and interrupts once', () => {
    const bench = new ApicBench();
    bench.enableAll();
    writePage(bench.apic, reg.lvtError, 0x60);
    readPage(bench.apic, 0x040);
    assert.equal(readPage(bench.apic, reg.errorStatus), 0);
    assert.equal(bench.apic.acknowledge(), 0x60);
    writePage(bench.apic, reg.endOfInterrupt, 0);
    writePage(bench.apic, 0x3d0, 1);
    assert.equal(bench.apic.hasInterrupt(), false);
    writePage(bench.apic, reg.errorStatus, 0);
    assert.equal(readPage(bench.apic, reg.errorStatus), apicError.illegalRegister);
    writePage(bench.apic, reg.errorStatus, 0);
    assert.equal(readPage(bench.apic, reg.errorStatus), 0);
  });

  it('refuses vectors below 16, sent and received', () => {
    const bench = new ApicBench();
    bench.enableAll();
    bench.bus.deliver(msi, 0x0f);
    writePage(bench.apic, reg.interruptCommandLow, 0x0e);
    writePage(bench.apic, reg.errorStatus, 0);
    assert.equal(readPage(bench.apic, reg.errorStatus), apicError.receivedIllegalVector | apicError.sendIllegalVector);
    assert.equal(bench.apic.hasInterrupt(), false);
  });

  it('survives an error interrupt that has an illegal vector itself', () => {
    const bench = new ApicBench();
    bench.enableAll();
    writePage(bench.apic, reg.lvtError, 0x05);
    bench.bus.deliver(msi, 1);
    writePage(bench.apic, reg.errorStatus, 0);
    assert.equal(readPage(bench.apic, reg.errorStatus), apicError.receivedIllegalVector);
  });
});

describe('local APIC pins', () => {
  it('passes the 8259 pair through LINT0 in virtual wire mode, whatever the task priority', () => {
    const bench = new ApicBench();
    enableVirtualWire(bench.apic);
    writePage(bench.apic, reg.taskPriority, 0xff);
    bench.externalVector = 0x08;
    bench.apic.lint0.set(true);
    assert.equal(bench.apic.hasInterrupt(), true);
    assert.equal(bench.apic.highestPending(), -1);
    assert.equal(bench.apic.acknowledge(), 0x08);
    assert.equal(bench.apic.hasInterrupt(), true, 'the line is still up');
    bench.apic.lint0.set(false);
    assert.equal(bench.apic.hasInterrupt(), false);
    assert.equal(readPage(bench.apic, reg.inService), 0, 'ExtINT needs no EOI here');
  });

  it('is INTR and NMI of the processor while the APIC is disabled', () => {
    const bench = new ApicBench();
    assert.equal(bench.apic.writeBase(0xfee0_0100n), true);
    bench.apic.lint0.set(true);
    assert.equal(bench.apic.acknowledge(), 0x20);
    bench.apic.lint1.set(true);
    bench.apic.lint1.set(true);
    assert.equal(bench.cpu(0).events.filter((event) => event === 'nmi').length, 1);
  });

  it('raises NMI on the edge of LINT1', () => {
    const bench = new ApicBench();
    enableVirtualWire(bench.apic);
    bench.apic.lint1.set(true);
    bench.apic.lint1.set(false);
    bench.apic.lint1.set(true);
    assert.equal(bench.cpu(0).events.filter((event) => event === 'nmi').length, 2);
  });

  it('asks again after EOI for a level-triggered fixed pin that stays asserted', () => {
    const bench = new ApicBench();
    bench.enableAll();
    writePage(bench.apic, reg.lvtLint0, 0x8051);
    bench.apic.lint0.set(true);
    assert.equal(readPage(bench.apic, reg.lvtLint0), 0xc051, 'remote IRR');
    assert.deepEqual(takeAll(bench.apic), [0x51]);
    writePage(bench.apic, reg.endOfInterrupt, 0);
    assert.equal(bench.apic.acknowledge(), 0x51);
    bench.apic.lint0.set(false);
    writePage(bench.apic, reg.endOfInterrupt, 0);
    assert.equal(bench.apic.hasInterrupt(), false);
    assert.equal(readPage(bench.apic, reg.lvtLint0), 0x8051);
  });

  it('masks the performance entry when it fires', () => {
    const bench = new ApicBench();
    bench.enableAll();
    writePage(bench.apic, reg.lvtPerformance, 0x400);
    bench.apic.raiseLocal('performance');
    bench.apic.raiseLocal('performance');
    assert.equal(bench.cpu(0).events.filter((event) => event === 'nmi').length, 1);
    assert.equal(readPage(bench.apic, reg.lvtPerformance), 0x1_0400);
    writePage(bench.apic, reg.lvtThermal, 0x71);
    bench.apic.raiseLocal('thermal');
    assert.equal(bench.apic.acknowledge(), 0x71);
  });
});

describe('local APIC register page', () => {
  it('ignores narrow writes, and narrow reads see the register bytes', () => {
    const bench = new ApicBench([0x12]);
    bench.apic.writeMmio(reg.taskPriority, 1, 0x55);
    assert.equal(readPage(bench.apic, reg.taskPriority), 0);
    assert.equal(bench.apic.readMmio(reg.id + 3, 1), 0x12);
    assert.equal(bench.apic.readMmio(reg.id + 4, 4), 0);
  });

  it('does not throw at any offset, size or value', () => {
    const bench = new ApicBench([0, 1]);
    bench.enableAll();
    for (let offset = 0; offset < 0x1000; offset++) {
      for (const size of [1, 2, 4] as const) {
        bench.apic.readMmio(offset, size);
        bench.apic.writeMmio(offset, size, 0xffff_ffff);
        bench.apic.writeMmio(offset, size, 0x0008_4500 ^ offset);
      }
      bench.run(1_000);
      takeAll(bench.apic);
    }
  });

  it('round-trips its state', () => {
    const bench = new ApicBench();
    bench.enableAll();
    writePage(bench.apic, reg.lvtTimer, 0x2_0040);
    writePage(bench.apic, reg.initialCount, 1_000);
    writePage(bench.apic, reg.lvtLint0, 0x700);
    bench.bus.deliver(msi, 0x44);
    bench.bus.deliver(msi, 0x55);
    bench.apic.acknowledge();
    const saved = structuredClone(bench.apic.save());
    const other = new ApicBench();
    other.apic.restore(saved);
    assert.deepEqual(other.apic.save(), saved);
    assert.equal(other.apic.hasInterrupt(), false);
    writePage(other.apic, reg.endOfInterrupt, 0);
    assert.equal(other.apic.acknowledge(), 0x44);
    other.run(2_000);
    assert.equal(readPage(other.apic, reg.interruptRequest + 0x20), 1);
    other.apic.reset();
    assert.equal(readPage(other.apic, reg.spuriousVector), 0xff);
    other.run(10_000);
    assert.equal(other.apic.hasInterrupt(), false, 'reset stops the timer');
  });
});
