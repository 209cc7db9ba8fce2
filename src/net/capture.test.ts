import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capture, captureHeader } from './capture.ts';
import { FakePort } from './testing/fake-port.ts';
import { ManualNetClock } from './testing/manual-net-clock.ts';
import { ends } from './testing/open-connection.ts';
import { tcpFrame } from './testing/scripted-guest.ts';

function bench() {
  const clock = new ManualNetClock();
  const port = new FakePort();
  const records: Uint8Array[] = [];
  const captured = capture(port, (bytes) => records.push(bytes.slice()) > 0, clock);
  return { clock, port, captured, records };
}

const words = (bytes: Uint8Array): number[] => [...new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)];

test('the header says nanoseconds, version 2.4, Ethernet', () => {
  assert.deepEqual(words(captureHeader()), [0xa1b23c4d, 0x0004_0002, 0, 0, 262_144, 1]);
});

test('both ways are recorded, with their time, before the answer', () => {
  const { clock, port, captured, records } = bench();
  captured.connect({ send: () => true, resume: () => {} });
  captured.send(Uint8Array.from({ length: 60 }, () => 1));
  clock.advance(1500.25);
  port.deliver(new Uint8Array(64).fill(2));
  assert.deepEqual(
    records.map((record) => [...words(record.slice(0, 16)), record.length - 16, record[20]]),
    [
      [1_700_000_001, 0, 60, 60, 60, 1],
      [1_700_000_002, 500_250_000, 64, 64, 64, 2],
    ],
  );
  assert.equal(port.sent.length, 1);
});

test('large frames are recorded as the segments that they become', () => {
  const { captured, records } = bench();
  const frame = tcpFrame(ends, { flags: 'PA', payload: new Uint8Array(4000) });
  captured.send(frame, { checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 });
  assert.deepEqual(
    records.map((record) => record.length - 16),
    [54 + 1460, 54 + 1460, 54 + 1080],
  );
});

test('a frame that was refused did not pass', () => {
  const { captured, port, records } = bench();
  captured.connect({ send: () => false, resume: () => {} });
  assert.equal(port.deliver(new Uint8Array(60)), false);
  assert.deepEqual(records, []);
  captured.resume();
  captured.close();
  assert.deepEqual([port.resumed, port.closed], [1, true]);
});
