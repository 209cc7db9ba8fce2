import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmioBus } from './mmio.ts';
import { type AccessSize, PortBus, type PortHandler } from './port-io.ts';
import { ManualClock, TimerQueue } from './time.ts';

class RecordingPort implements PortHandler {
  readonly portWidth: AccessSize;
  readonly log: string[] = [];

  constructor(width: AccessSize) {
    this.portWidth = width;
  }

  readPort(port: number, size: AccessSize): number {
    this.log.push(`r${size}@${port.toString(16)}`);
    return 0x1_0000_0000 + port;
  }

  writePort(port: number, size: AccessSize, value: number): void {
    this.log.push(`w${size}@${port.toString(16)}=${value.toString(16)}`);
  }
}

test('a wide access to a byte device becomes ascending byte cycles', () => {
  const bus = new PortBus();
  const device = new RecordingPort(1);
  bus.map(0x60, 0x63, device);
  bus.write(0x60, 4, 0xddccbbaa);
  assert.equal(bus.read(0x62, 4), 0xffff_6362);
  assert.deepEqual(device.log, ['w1@60=aa', 'w1@61=bb', 'w1@62=cc', 'w1@63=dd', 'r1@62', 'r1@63']);
});

test('an access that fits reaches the device whole, and its result is cut to size', () => {
  const bus = new PortBus();
  const device = new RecordingPort(4);
  bus.map(0xcf8, 0xcff, device);
  assert.equal(bus.read(0xcf8, 4), 0xcf8);
  bus.write(0xcfc, 2, 0x12345);
  assert.deepEqual(device.log, ['r4@cf8', 'w2@cfc=2345']);
});

test('ports that nobody decodes float high, also where the space ends', () => {
  const bus = new PortBus();
  assert.equal(bus.read(0x80, 1), 0xff);
  assert.equal(bus.read(0xffff, 4), 0xffff_ffff);
  bus.write(0xffff, 4, 0);
});

test('a port or an MMIO range cannot be mapped twice', () => {
  const bus = new PortBus();
  bus.map(1, 2, new RecordingPort(1));
  assert.throws(() => bus.map(2, 3, new RecordingPort(1)), /mapped twice/);
  const mmio = new MmioBus();
  const handler = { readMmio: () => 0, writeMmio: () => {} };
  mmio.map(0xfec0_0000, 0x1000, handler);
  assert.throws(() => mmio.map(0xfec0_0fff, 1, handler), /overlaps/);
});

test('MMIO handlers see offsets; values are unsigned and cut', () => {
  const mmio = new MmioBus();
  const seen: unknown[] = [];
  mmio.map(0xfee0_0000, 0x1000, {
    readMmio: (offset, size) => {
      seen.push([offset, size]);
      return -1;
    },
    writeMmio: (offset, size, value) => seen.push([offset, size, value]),
  });
  assert.equal(mmio.read(0xfee0_0020, 4), 0xffff_ffff);
  assert.equal(mmio.read(0xfee0_0021, 1), 0xff);
  mmio.write(0xfee0_00b0, 2, 0x12345);
  assert.equal(mmio.read(0xfee0_1000, 2), 0xffff);
  assert.deepEqual(seen, [
    [0x20, 4],
    [0x21, 1],
    [0xb0, 2, 0x2345],
  ]);
});

test('timers fire once, earliest first, and only when due', () => {
  const clock = new ManualClock();
  const queue = new TimerQueue(clock);
  const fired: string[] = [];
  const late = queue.createTimer('late', () => fired.push('late'));
  const early = queue.createTimer('early', () => fired.push('early'));
  late.setDeadline(200);
  early.setDeadline(100);
  assert.equal(queue.nextDeadlineNs(), 100);
  clock.advance(99);
  queue.runExpired();
  assert.deepEqual(fired, []);
  clock.advance(200);
  queue.runExpired();
  queue.runExpired();
  assert.deepEqual(fired, ['early', 'late']);
  assert.equal(queue.nextDeadlineNs(), Number.POSITIVE_INFINITY);
});

test('a timer that rearms itself in the past waits for the next poll; one cancelled by another does not fire', () => {
  const clock = new ManualClock();
  const queue = new TimerQueue(clock);
  let count = 0;
  const victim = queue.createTimer('victim', () => assert.fail('cancelled timer fired'));
  const periodic = queue.createTimer('periodic', () => {
    count++;
    periodic.setDeadline(0);
    victim.cancel();
  });
  periodic.setDeadline(5);
  victim.setDeadline(6);
  clock.advance(10);
  queue.runExpired();
  assert.equal(count, 1);
  queue.runExpired();
  assert.equal(count, 2);
});
