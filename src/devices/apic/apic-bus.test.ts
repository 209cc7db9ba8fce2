import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apicRegister as reg } from '../../spec/x86/apic.ts';
import { ApicBench, readPage, takeAll, writePage } from './testing/apic-bench.ts';

const msiTo = (destination: number, flags = 0): number => 0xfee0_0000 | (destination << 12) | flags;

/** Which processors get the vector of a message. */
function receivers(bench: ApicBench, send: () => void): number[] {
  send();
  return bench.processors.flatMap(({ apic }, index) => {
    const taken = takeAll(apic);
    for (const _ of taken) writePage(apic, reg.endOfInterrupt, 0);
    return taken.length > 0 ? [index] : [];
  });
}

function send(bench: ApicBench, low: number, destination = 0): void {
  writePage(bench.apic, reg.interruptCommandHigh, destination << 24);
  writePage(bench.apic, reg.interruptCommandLow, low);
}

describe('message-signalled interrupts', () => {
  it('reach the processor with the physical ID, or all of them', () => {
    const bench = new ApicBench([0, 1, 5]);
    bench.enableAll();
    assert.deepEqual(
      receivers(bench, () => bench.bus.deliver(msiTo(5) >>> 0, 0x41)),
      [2],
    );
    assert.deepEqual(
      receivers(bench, () => bench.bus.deliver(msiTo(0xff) >>> 0, 0x41)),
      [0, 1, 2],
    );
    assert.deepEqual(
      receivers(bench, () => bench.bus.deliver(msiTo(9) >>> 0, 0x41)),
      [],
    );
  });

  it('outside 0xFEExxxxx are ignored', () => {
    const bench = new ApicBench();
    bench.enableAll();
    for (const address of [0xfed0_0000, 0, 0x1_fee0_0000, 0xfef0_0000]) bench.bus.deliver(address, 0x41);
    assert.equal(bench.apic.hasInterrupt(), false);
  });

  it('pick the processor with the lowest priority if they carry the hint or the mode', () => {
    const bench = new ApicBench([0, 1, 2]);
    bench.enableAll();
    bench.processors.forEach(({ apic }, index) => {
      writePage(apic, reg.logicalDestination, (1 << index) << 24);
      writePage(apic, reg.taskPriority, [0x30, 0x10, 0x20][index] ?? 0);
    });
    assert.deepEqual(
      receivers(bench, () => bench.bus.deliver(msiTo(0b111, 4) >>> 0, 0x141)),
      [1],
    );
    assert.deepEqual(
      receivers(bench, () => bench.bus.deliver(msiTo(0b101, 12) >>> 0, 0x41)),
      [2],
    );
    assert.deepEqual(
      receivers(bench, () => bench.bus.deliver(msiTo(0b101, 4) >>> 0, 0x41)),
      [0, 2],
    );
  });

  it('carry NMI, INIT and ExtINT past masks and priorities', () => {
    const bench = new ApicBench();
    writePage(bench.apic, reg.taskPriority, 0xff);
    bench.bus.deliver(msiTo(0, 8) >>> 0, 0x400);
    bench.bus.deliver(msiTo(0) >>> 0, 0x700);
    assert.equal(bench.apic.acknowledge(), 0x20);
    assert.equal(bench.apic.hasInterrupt(), false);
    bench.bus.deliver(msiTo(0) >>> 0, 0x500);
    assert.deepEqual(bench.cpu(0).events, ['nmi', 'changed', 'changed', 'init']);
  });
});

describe('logical destinations', () => {
  it('of the flat model are one bit each', () => {
    const bench = new ApicBench([0, 1, 2]);
    bench.enableAll();
    for (const [index, { apic }] of bench.processors.entries())
      writePage(apic, reg.logicalDestination, 1 << (24 + index));
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x841, 0b110)),
      [1, 2],
    );
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x841, 0xff)),
      [0, 1, 2],
    );
  });

  it('of the cluster model are a cluster and four bits', () => {
    const bench = new ApicBench([0, 1, 2]);
    bench.enableAll();
    bench.processors.forEach(({ apic }, index) => {
      writePage(apic, reg.destinationFormat, 0x0fff_ffff);
      writePage(apic, reg.logicalDestination, ([0x11, 0x12, 0x21][index] ?? 0) << 24);
    });
    assert.equal(readPage(bench.apic, reg.destinationFormat), 0x0fff_ffff);
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x841, 0x13)),
      [0, 1],
    );
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x841, 0x21)),
      [2],
    );
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x841, 0x31)),
      [],
    );
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x841, 0xff)),
      [0, 1, 2],
    );
  });
});

describe('interprocessor interrupts', () => {
  it('obey the shorthands', () => {
    const bench = new ApicBench([0, 1, 2]);
    bench.enableAll();
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x4_0041)),
      [0],
    );
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x8_0041)),
      [0, 1, 2],
    );
    assert.deepEqual(
      receivers(bench, () => send(bench, 0xc_0041)),
      [1, 2],
    );
    assert.deepEqual(
      receivers(bench, () => send(bench, 0x0_0041, 1)),
      [1],
    );
    assert.equal(readPage(bench.apic, reg.interruptCommandLow), 0x41, 'delivery status reads idle');
  });

  it('start another processor with INIT, its de-assertion and two start-ups', () => {
    const bench = new ApicBench([0, 1]);
    send(bench, 0x0_c500, 1);
    send(bench, 0x0_8500, 1);
    send(bench, 0x0_0699, 1);
    send(bench, 0x0_0699, 1);
    assert.deepEqual(bench.cpu(1).events, ['init', 'startUp 99', 'startUp 99']);
    assert.deepEqual(bench.cpu(0).events, []);
  });

  it('reset the receiver but for its base and ID', () => {
    const bench = new ApicBench([0, 1]);
    bench.enableAll();
    const { apic } = bench.cpu(1);
    writePage(apic, reg.lvtTimer, 0x33);
    send(bench, 0xc_4500);
    assert.equal(readPage(apic, reg.lvtTimer), 0x1_0000);
    assert.equal(readPage(apic, reg.id), 0x0100_0000);
  });

  it('send NMI to all others', () => {
    const bench = new ApicBench([0, 1, 2]);
    send(bench, 0xc_0400);
    assert.deepEqual(
      bench.processors.map(({ events }) => events.length),
      [0, 1, 1],
    );
  });
});
