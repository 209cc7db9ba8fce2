import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { apicMsr, apicRegister as reg } from '../../spec/x86/apic.ts';
import { writeApicMsr } from './apic-msr.ts';
import { readPage, takeAll, writePage } from './testing/apic-bench.ts';
import { ApicThreads } from './testing/apic-threads.ts';

const ids = [0, 1, 2, 3];

function threads(): ApicThreads {
  const all = new ApicThreads(ids);
  all.enableAll();
  return all;
}

function send(all: ApicThreads, from: number, low: number, destination = 0): void {
  writePage(all.at(from).apic, reg.interruptCommandHigh, destination << 24);
  writePage(all.at(from).apic, reg.interruptCommandLow, low);
}

/** The processors that have the interrupt when everybody has looked; it is finished there. */
function receivers(all: ApicThreads, vector = 0x41): number[] {
  all.deliver();
  return all.threads.flatMap(({ apic }, processor) => {
    const taken = takeAll(apic);
    assert.ok(taken.every((each) => each === vector));
    for (const _ of taken) apic.write32(reg.endOfInterrupt, 0);
    return taken.map(() => processor);
  });
}

/** A level-triggered I/O APIC entry. @param low besides the trigger mode */
function route(all: ApicThreads, pin: number, low: number, destination: number): void {
  const write = (index: number, value: number): void => {
    all.ioApic.writeMmio(0, 1, index);
    all.ioApic.writeMmio(0x10, 4, value);
  };
  write(0x11 + 2 * pin, destination << 24);
  write(0x10 + 2 * pin, low | (1 << 15));
}

function remoteIrr(all: ApicThreads, pin: number): boolean {
  all.ioApic.writeMmio(0, 1, 0x10 + 2 * pin);
  return (all.ioApic.readMmio(0x10, 4) & (1 << 14)) !== 0;
}

describe('interprocessor interrupts between threads', () => {
  it('reach the processor with the ID once, when it has looked', () => {
    const all = threads();
    send(all, 1, 0x41, 2);
    send(all, 1, 0x41, 2);
    assert.equal(all.at(2).apic.hasInterrupt(), false);
    assert.equal(all.at(2).apic.hasMail, true);
    assert.deepEqual(all.kicked, [2], 'the second finds the box full');
    assert.deepEqual(receivers(all), [2]);
    assert.equal(all.at(2).apic.hasMail, false);
    assert.equal(all.at(2).apic.takeMail(), false);
  });

  it('obey the shorthands from every processor', () => {
    const all = threads();
    for (const sender of ids) {
      send(all, sender, 0x4_0041);
      assert.deepEqual(receivers(all), [sender]);
      send(all, sender, 0x8_0041);
      assert.deepEqual(receivers(all), ids);
      send(all, sender, 0xc_0041);
      assert.deepEqual(
        receivers(all),
        ids.filter((id) => id !== sender),
      );
      send(all, sender, 0x41, 0xff);
      assert.deepEqual(receivers(all), ids);
    }
  });

  it('find logical destinations as their owners have set them: flat, clusters', () => {
    const all = threads();
    for (const { apic } of all.threads) writePage(apic, reg.logicalDestination, 1 << (24 + apic.id));
    send(all, 3, 0x841, 0b0110);
    assert.deepEqual(receivers(all), [1, 2]);
    for (const { apic } of all.threads) {
      writePage(apic, reg.destinationFormat, 0x0fff_ffff);
      writePage(apic, reg.logicalDestination, ([0x11, 0x12, 0x21, 0x22][apic.id] ?? 0) << 24);
    }
    send(all, 0, 0x841, 0x23);
    assert.deepEqual(receivers(all), [2, 3]);
  });

  it('find clusters and IDs of x2APIC mode', () => {
    const all = new ApicThreads([0, 1, 0x12, 0x13]);
    all.enableAll();
    for (const { apic } of all.threads) assert.ok(apic.writeBase(apic.base | 0x400n));
    const command = (value: bigint): void =>
      void assert.ok(writeApicMsr(all.at(0).apic, apicMsr.x2apicFirst + 0x30, value));
    command((0x1_000cn << 32n) | 0x841n);
    assert.deepEqual(receivers(all), [2, 3]);
    command((0x13n << 32n) | 0x41n);
    assert.deepEqual(receivers(all), [3]);
    command((0xffff_ffffn << 32n) | 0x41n);
    assert.deepEqual(receivers(all), ids);
  });

  it('with lowest priority go to the processor that does the least, whoever sends', () => {
    const all = threads();
    for (const { apic } of all.threads) {
      writePage(apic, reg.logicalDestination, 1 << (24 + apic.id));
      writePage(apic, reg.taskPriority, [0x30, 0x10, 0x20, 0x40][apic.id] ?? 0);
    }
    for (const sender of ids) {
      send(all, sender, 0x951, 0xff);
      assert.deepEqual(receivers(all, 0x51), [1]);
    }
    send(all, 0, 0x961, 0xff);
    all.deliver();
    assert.equal(all.at(1).apic.acknowledge(), 0x61);
    send(all, 0, 0x951, 0xff);
    assert.deepEqual(receivers(all, 0x51), [2], 'processor 1 is at priority 0x60 until it finishes');
  });

  it('do not reach an APIC that is disabled, by software or by its base', () => {
    const all = threads();
    writePage(all.at(1).apic, reg.spuriousVector, 0xff);
    assert.ok(all.at(2).apic.writeBase(0xfee0_0000n));
    send(all, 0, 0xc_0041);
    send(all, 0, 0xc_0400);
    all.deliver();
    assert.deepEqual(all.at(1).events, ['nmi']);
    assert.deepEqual(all.at(2).events.includes('nmi'), false);
    assert.deepEqual(receivers(all), [3]);
  });

  it('that came before an APIC is disabled by software stay requested', () => {
    const all = threads();
    send(all, 0, 0x41, 1);
    writePage(all.at(1).apic, reg.spuriousVector, 0xff);
    assert.deepEqual(takeAll(all.at(1).apic), [0x41]);
  });

  it('with an illegal vector are an error of the receiver', () => {
    const all = threads();
    all.at(0).bus.deliver(0xfee0_1000, 5);
    all.deliver();
    writePage(all.at(1).apic, reg.errorStatus, 0);
    assert.equal(readPage(all.at(1).apic, reg.errorStatus), 1 << 6);
    assert.equal(all.at(1).apic.hasInterrupt(), false);
  });
});

describe('INIT and start-up between threads', () => {
  it('arrive in this order, INIT with its reset, its de-assertion not at all', () => {
    const all = threads();
    writePage(all.at(1).apic, reg.lvtTimer, 0x33);
    send(all, 0, 0xc500, 1);
    send(all, 0, 0x8500, 1);
    send(all, 0, 0x0699, 1);
    send(all, 0, 0x069a, 1);
    assert.deepEqual(all.deliver(), [1]);
    assert.deepEqual(all.at(1).events, ['init', 'startUp 99']);
    assert.equal(readPage(all.at(1).apic, reg.lvtTimer), 0x1_0000);
    send(all, 0, 0x069a, 1);
    all.deliver();
    assert.deepEqual(all.at(1).events.slice(2), ['startUp 9a'], 'the processor ignores it unless it waits');
  });

  it('may be left before the thread of the processor runs', () => {
    const all = threads();
    send(all, 0, 0xc_4500);
    send(all, 0, 0xc_0608);
    for (const processor of all.deliver()) {
      assert.deepEqual(all.at(processor).events.splice(0), ['init', 'startUp 8']);
    }
  });

  it('INIT drops what waits: interrupts, NMI, start-up', () => {
    const all = threads();
    send(all, 0, 0x41, 1);
    send(all, 0, 0x400, 1);
    send(all, 0, 0x608, 1);
    send(all, 0, 0x4500, 1);
    all.deliver();
    assert.deepEqual(all.at(1).events, ['init']);
    assert.equal(all.at(1).apic.hasInterrupt(), false);
    assert.deepEqual(takeAll(all.at(1).apic), []);
  });

  it('INIT reaches the boot processor, too', () => {
    const all = threads();
    send(all, 2, 0x4500, 0);
    assert.deepEqual(all.deliver(), [0]);
    assert.deepEqual(all.at(0).events, ['init']);
  });
});

describe('the I/O APIC on another thread', () => {
  it('keeps remote IRR until the receiver has ended the interrupt', () => {
    const all = threads();
    route(all, 5, 0x51, 2);
    all.ioApic.irq(5).set(true);
    assert.equal(remoteIrr(all, 5), true);
    all.deliver();
    assert.deepEqual(takeAll(all.at(2).apic), [0x51]);
    all.ioApic.irq(5).set(false);
    writePage(all.at(2).apic, reg.endOfInterrupt, 0);
    assert.equal(remoteIrr(all, 5), true, 'the board has not looked yet');
    assert.deepEqual(all.deliver(), [0]);
    assert.equal(remoteIrr(all, 5), false);
    assert.deepEqual(receivers(all, 0x51), []);
  });

  it('interrupts again while the pin is up', () => {
    const all = threads();
    route(all, 5, 0x51, 3);
    all.ioApic.irq(5).set(true);
    assert.deepEqual(receivers(all, 0x51), [3]);
    assert.deepEqual(all.deliver(), [0]);
    assert.deepEqual(receivers(all, 0x51), [3]);
  });

  it('serves several processors with one vector; each ends its own', () => {
    const all = threads();
    for (const { apic } of all.threads) writePage(apic, reg.logicalDestination, 1 << (24 + apic.id));
    route(all, 5, 0x851, 0b1011);
    route(all, 6, 0x851, 0b0010);
    all.ioApic.irq(5).set(true);
    assert.deepEqual(all.deliver(), [1, 3]);
    for (const processor of [0, 1, 3]) assert.deepEqual(takeAll(all.at(processor).apic), [0x51]);
    all.ioApic.irq(5).set(false);
    for (const processor of [3, 1, 0]) {
      writePage(all.at(processor).apic, reg.endOfInterrupt, 0);
      all.deliver();
      assert.equal(remoteIrr(all, 5), false);
    }
    assert.deepEqual(receivers(all, 0x51), []);
  });

  it('hears nothing of an interrupt whose receiver suppresses the broadcast', () => {
    const all = threads();
    writePage(all.at(1).apic, reg.spuriousVector, 0x11ff);
    route(all, 5, 0x51, 1);
    all.ioApic.irq(5).set(true);
    assert.deepEqual(receivers(all, 0x51), [1]);
    assert.deepEqual(all.deliver(), []);
    assert.equal(remoteIrr(all, 5), true);
  });

  it('offers an interrupt again that its receiver lost by a reset', () => {
    const all = threads();
    route(all, 5, 0x51, 1);
    all.ioApic.irq(5).set(true);
    send(all, 0, 0x4500, 1);
    all.deliver();
    assert.deepEqual(all.deliver(), [0]);
    assert.equal(remoteIrr(all, 5), false, 'refused while the APIC is off');
    writePage(all.at(1).apic, reg.spuriousVector, 0x1ff);
    route(all, 5, 0x51, 1);
    assert.deepEqual(receivers(all, 0x51), [1]);
  });

  it('passes the 8259 pair to the processor on its own thread alone', () => {
    const all = threads();
    route(all, 0, 0x700, 1);
    all.ioApic.irq(0).set(true);
    assert.deepEqual(all.deliver(), []);
    assert.equal(all.at(1).apic.hasMail, false);
  });
});

it('a processor that is alone has no box', () => {
  const all = new ApicThreads([0]);
  all.enableAll();
  send(all, 0, 0x8_0041);
  send(all, 0, 0xc_0041);
  assert.equal(all.at(0).apic.hasMail, false);
  assert.deepEqual(receivers(all), [0]);
});
