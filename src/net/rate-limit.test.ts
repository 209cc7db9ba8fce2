import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitRate } from './rate-limit.ts';
import { FakePort } from './testing/fake-port.ts';
import { ManualNetClock } from './testing/manual-net-clock.ts';

function bench(limits: { toPort?: number; fromPort?: number }) {
  const clock = new ManualNetClock();
  const port = new FakePort();
  const limited = limitRate(port, { toPort: limits.toPort, fromPort: limits.fromPort }, clock);
  const received: Uint8Array[] = [];
  let resumed = 0;
  let hasRoom = true;
  limited.connect({
    send: (frame) => {
      if (hasRoom) received.push(frame);
      return hasRoom;
    },
    resume: () => {
      resumed++;
    },
  });
  const full = (value: boolean): void => {
    hasRoom = !value;
  };
  return { clock, port, limited, received, full, resumed: () => resumed };
}

const frame = new Uint8Array(1500);

test('a sender that holds back gets its rate, on average', () => {
  const { clock, port, limited, resumed } = bench({ toPort: 8e6 });
  const startMs = clock.nowMs();
  let waiting = false;
  let told = 0;
  while (clock.nowMs() - startMs < 10_000) {
    if (resumed() > told) {
      told = resumed();
      waiting = false;
    }
    if (waiting) clock.advance(1);
    else waiting = !limited.send(frame);
  }
  const bytes = port.sent.length * frame.length;
  // One megabyte a second, and the burst at the begin.
  assert.ok(bytes > 10e6 && bytes < 10.2e6, String(bytes));
});

test('a sender that does not hold back loses frames, and no more than that', () => {
  const { clock, port, limited } = bench({ toPort: 8e6 });
  let passed = 0;
  for (let ms = 0; ms < 1000; ms++) {
    for (let i = 0; i < 10; i++) if (limited.send(frame)) passed++;
    clock.advance(1);
  }
  assert.equal(port.sent.length, passed);
  assert.ok(passed * 1500 < 1.1e6 && passed * 1500 > 0.95e6, String(passed));
});

test('the other way has a limit of its own, or none', () => {
  const { clock, port, received, limited } = bench({ fromPort: 80_000 });
  for (let i = 0; i < 100; i++) port.deliver(frame);
  assert.equal(received.length, Math.ceil(65_536 / 1500));
  assert.equal(port.resumed, 0);
  clock.advance(1000);
  assert.equal(port.resumed, 1, 'the port is told that it may go on');
  for (let i = 0; i < 1000; i++) assert.equal(limited.send(frame), true);
});

test('a large frame passes and is paid for afterwards; a refused one costs nothing', () => {
  const { clock, limited, port, full } = bench({ toPort: 80_000, fromPort: 80_000 });
  const large = new Uint8Array(65_000);
  assert.equal(limited.send(large), true);
  assert.equal(limited.send(large), true);
  assert.equal(limited.send(frame), false);
  clock.advance(6400);
  assert.equal(limited.send(frame), false);
  clock.advance(200);
  assert.equal(limited.send(frame), true);
  full(true);
  for (let i = 0; i < 1000; i++) assert.equal(port.deliver(large), false);
  full(false);
  assert.equal(port.deliver(large), true);
});

test('room and the end are told on', () => {
  const { clock, limited, port, resumed } = bench({ toPort: 80_000 });
  port.tellRoom();
  assert.equal(resumed(), 1);
  limited.resume();
  assert.equal(port.resumed, 1);
  for (let i = 0; i < 100; i++) limited.send(frame);
  limited.close();
  assert.equal(port.closed, true);
  assert.equal(clock.pendingTimers, 0);
});
