import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apicRegister as reg } from '../../spec/x86/apic.ts';
import { IoApic } from './io-apic.ts';
import { ApicBench, takeAll, writePage } from './testing/apic-bench.ts';

const level = 0x8000;
const masked = 0x1_0000;

class IoApicBench extends ApicBench {
  readonly ioApic = new IoApic(this.bus, 2);

  constructor() {
    super([0, 1]);
    this.enableAll();
  }

  read(index: number): number {
    this.ioApic.writeMmio(0, 4, index);
    return this.ioApic.readMmio(0x10, 4) >>> 0;
  }

  write(index: number, value: number): void {
    this.ioApic.writeMmio(0, 4, index);
    this.ioApic.writeMmio(0x10, 4, value);
  }

  entry(pin: number, low: number, destination = 0): void {
    this.write(0x11 + 2 * pin, destination << 24);
    this.write(0x10 + 2 * pin, low);
  }

  eoi(): void {
    writePage(this.apic, reg.endOfInterrupt, 0);
  }
}

describe('I/O APIC registers', () => {
  it('tell 24 pins, version 0x20 and the ID', () => {
    const bench = new IoApicBench();
    assert.equal(bench.read(1), 0x0017_0020);
    assert.equal(bench.read(0), 0x0200_0000);
    bench.write(0, 0xff00_0000);
    assert.equal(bench.read(0), 0x0f00_0000);
    assert.equal(bench.read(2), 0x0f00_0000);
  });

  it('start masked, and keep their read-only bits', () => {
    const bench = new IoApicBench();
    for (let pin = 0; pin < 24; pin++) assert.equal(bench.read(0x10 + 2 * pin), masked);
    bench.entry(3, 0xffff_ffff, 0xab);
    assert.equal(bench.read(0x16), 0x1_afff);
    assert.equal(bench.read(0x17), 0xab00_0000);
  });

  it('do not throw at any offset, index or value', () => {
    const bench = new IoApicBench();
    for (let index = 0; index < 256; index++) {
      bench.write(index, 0xffff_ffff);
      bench.read(index);
    }
    for (let offset = 0; offset < 0x100; offset++) {
      for (const size of [1, 2, 4] as const) {
        bench.ioApic.writeMmio(offset, size, 0xffff_ffff);
        bench.ioApic.readMmio(offset, size);
      }
    }
    assert.equal(bench.read(0x40), 0);
    assert.throws(() => bench.ioApic.irq(24), RangeError);
  });
});

describe('I/O APIC edge-triggered pins', () => {
  it('send one message per rising edge', () => {
    const bench = new IoApicBench();
    bench.entry(4, 0x34);
    const line = bench.ioApic.irq(4);
    line.set(true);
    line.set(true);
    assert.deepEqual(takeAll(bench.apic), [0x34]);
    bench.eoi();
    assert.equal(bench.apic.hasInterrupt(), false);
    line.set(false);
    line.set(true);
    assert.deepEqual(takeAll(bench.apic), [0x34]);
  });

  it('lose an edge that comes while they are masked', () => {
    const bench = new IoApicBench();
    bench.entry(4, 0x34 | masked);
    bench.ioApic.irq(4).set(true);
    bench.entry(4, 0x34);
    assert.equal(bench.apic.hasInterrupt(), false);
  });
});

describe('I/O APIC level-triggered pins', () => {
  it('wait for EOI with remote IRR, and interrupt again while asserted', () => {
    const bench = new IoApicBench();
    bench.entry(16, 0x46 | level);
    const line = bench.ioApic.irq(16);
    line.set(true);
    assert.equal(bench.read(0x30), 0x46 | level | 0x4000);
    assert.deepEqual(takeAll(bench.apic), [0x46]);
    line.set(false);
    line.set(true);
    assert.equal(bench.apic.hasInterrupt(), false);
    bench.eoi();
    assert.deepEqual(takeAll(bench.apic), [0x46]);
    line.set(false);
    bench.eoi();
    assert.equal(bench.apic.hasInterrupt(), false);
    assert.equal(bench.read(0x30), 0x46 | level);
  });

  it('are served when they are unmasked while asserted', () => {
    const bench = new IoApicBench();
    bench.entry(9, 0x46 | level | masked);
    bench.ioApic.irq(9).set(true);
    assert.equal(bench.apic.hasInterrupt(), false);
    bench.entry(9, 0x46 | level);
    assert.deepEqual(takeAll(bench.apic), [0x46]);
  });

  it('are finished by the EOI register, and by a turn through edge mode', () => {
    const bench = new IoApicBench();
    writePage(bench.apic, reg.spuriousVector, 0x11ff);
    bench.entry(9, 0x46 | level);
    bench.ioApic.irq(9).set(true);
    takeAll(bench.apic);
    bench.ioApic.irq(9).set(false);
    bench.eoi();
    assert.equal(bench.read(0x22), 0x46 | level | 0x4000, 'the local APIC suppresses the broadcast');
    bench.ioApic.writeMmio(0x40, 4, 0x47);
    assert.equal(bench.read(0x22), 0x46 | level | 0x4000, 'another vector');
    bench.ioApic.writeMmio(0x40, 4, 0x46);
    assert.equal(bench.read(0x22), 0x46 | level);
    bench.ioApic.irq(9).set(true);
    bench.ioApic.irq(9).set(false);
    bench.entry(9, 0x46 | masked);
    bench.entry(9, 0x46 | level);
    assert.equal(bench.read(0x22), 0x46 | level);
  });

  it('share a vector', () => {
    const bench = new IoApicBench();
    bench.entry(16, 0x46 | level);
    bench.entry(17, 0x46 | level);
    bench.ioApic.irq(16).set(true);
    bench.ioApic.irq(17).set(true);
    assert.deepEqual(takeAll(bench.apic), [0x46]);
    bench.ioApic.irq(16).set(false);
    bench.eoi();
    assert.deepEqual(takeAll(bench.apic), [0x46], 'pin 17 is still asserted');
  });
});

describe('I/O APIC messages', () => {
  it('go to the destination with the delivery mode', () => {
    const bench = new IoApicBench();
    bench.entry(5, 0x55, 1);
    bench.ioApic.irq(5).set(true);
    assert.equal(bench.apic.hasInterrupt(), false);
    assert.deepEqual(takeAll(bench.cpu(1).apic), [0x55]);
    bench.entry(6, 0x400, 1);
    bench.ioApic.irq(6).set(true);
    assert.ok(bench.cpu(1).events.includes('nmi'));
    bench.entry(0, 0x700);
    bench.ioApic.irq(0).set(true);
    bench.externalVector = 0x30;
    assert.deepEqual(takeAll(bench.apic), [0x30]);
    for (const { apic } of bench.processors) writePage(apic, reg.logicalDestination, 0x0100_0000);
    bench.entry(7, 0x157 | 0x800, 1);
    bench.ioApic.irq(7).set(true);
    assert.deepEqual(takeAll(bench.apic), [0x57]);
    assert.deepEqual(takeAll(bench.cpu(1).apic), []);
  });

  it('survive save and restore', () => {
    const bench = new IoApicBench();
    bench.entry(16, 0x46 | level);
    bench.ioApic.irq(16).set(true);
    const saved = structuredClone(bench.ioApic.save());
    const other = new IoApicBench();
    other.ioApic.restore(saved);
    assert.deepEqual(other.ioApic.save(), saved);
    other.ioApic.endOfInterrupt(0x46);
    assert.deepEqual(takeAll(other.apic), [0x46]);
    other.ioApic.reset();
    assert.equal(other.read(0x30), masked);
  });
});
