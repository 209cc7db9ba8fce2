/** Bytes both ways: order, loss, windows, back-pressure, as a scripted guest sees them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { natBench } from '../../testing/nat-bench.ts';
import { bytes, ends, openConnection } from '../../testing/open-connection.ts';

const mss = 1460;

test('bytes of the guest arrive once and in order, whatever way they come', async () => {
  const bench = natBench();
  const connection = openConnection(bench);
  const all = bytes(1000);
  const send = (from: number, to: number): void => connection.send('A', from, 0, { payload: all.subarray(from, to) });
  send(200, 400);
  send(500, 600);
  assert.deepEqual(
    connection.seen().map(({ acknowledged }) => acknowledged),
    [0, 0],
    'gaps are told at once',
  );
  send(350, 520);
  send(0, 100);
  send(0, 100);
  send(50, 210);
  assert.equal(connection.seen().at(-1)?.acknowledged, 600);
  send(600, 1000);
  await bench.settle();
  assert.deepEqual(connection.stream.written, [...all]);
});

test('a FIN beyond a gap waits for what is missing', async () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.send('FA', 100, 0, { payload: bytes(50, 100) });
  await bench.settle();
  assert.equal(connection.stream.ended, false);
  connection.send('A', 0, 0, { payload: bytes(100) });
  await bench.settle();
  assert.deepEqual(connection.stream.written, [...bytes(150)]);
  assert.equal(connection.stream.ended, true);
  assert.equal(connection.seen().at(-1)?.acknowledged, 151);
});

test('little data is acknowledged soon, much data at once', async () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.send('A', 0, 0, { payload: bytes(10) });
  await bench.settle();
  assert.deepEqual(connection.seen(), []);
  bench.clock.advance(50);
  assert.equal(connection.seen()[0]?.acknowledged, 10);
  connection.send('A', 10, 0, { payload: bytes(mss) });
  connection.send('A', 10 + mss, 0, { payload: bytes(mss) });
  connection.send('A', 10 + 2 * mss, 0, { payload: bytes(mss) });
  await bench.settle();
  assert.deepEqual(
    connection.seen().map(({ acknowledged }) => acknowledged),
    [10 + 3 * mss],
    'one acknowledgment for what arrives together',
  );
});

test('an answer carries the acknowledgment', async () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.send('PA', 0, 0, { payload: bytes(10) });
  await bench.settle();
  connection.stream.events.data(bytes(5));
  assert.deepEqual(
    connection.seen().map(({ text, acknowledged }) => [text, acknowledged]),
    [['PA 0+5', 10]],
  );
  connection.send('A', 10, 5);
  bench.clock.advance(100);
  assert.deepEqual(connection.seen(), []);
});

test('a host socket that takes nothing closes the window, and opens it again', async () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.slow = true;
  let sent = 0;
  let window = 4096 << 5;
  while (window > 0) {
    assert.ok(sent < 2_000_000, 'the window closes');
    const count = Math.min(window, 20_000);
    connection.send('A', sent, 0, { payload: bytes(count, sent) });
    sent += count;
    await bench.settle();
    const last = connection.seen().at(-1);
    if (last !== undefined) window = (last.window << 5) - (sent - last.acknowledged);
    else window -= count;
  }
  assert.equal(sent, 1 << 17);
  connection.send('A', sent, 0, { payload: [1] });
  assert.deepEqual(connection.seen()[0], { text: 'A 0+0', acknowledged: sent, window: 0 }, 'a probe is answered');
  while (connection.stream.written.length < sent) {
    connection.stream.take();
    await bench.settle();
  }
  assert.ok((connection.seen().at(-1)?.window ?? 0) > 0);
  assert.deepEqual(connection.stream.written.slice(-1000), [...bytes(1000, sent - 1000)]);
});

test('much data becomes large frames, which segmentation cuts; the window of the guest is kept', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  assert.equal(connection.stream.events.data(bytes(40_000)), true);
  assert.deepEqual(
    connection.texts(),
    Array.from({ length: 10 }, (_, i) => `A ${i * mss}+${mss}`),
    'ten segments to begin with (RFC 6928)',
  );
  bench.guest.rawLengths.length = 0;
  connection.send('A', 0, 10 * mss, { window: 500 });
  assert.deepEqual(bench.guest.rawLengths, [54 + 40_000 - 10 * mss]);
  const more = connection.texts();
  assert.equal(more.at(-1), `PA ${27 * mss}+${40_000 - 27 * mss}`);
  connection.send('A', 0, 40_000, { window: 20 });
  connection.stream.events.data(bytes(40_000));
  assert.deepEqual(connection.texts(), [`A 40000+${mss}`], 'a window of 20 × 128 bytes has room for one segment');
});

test('a host that sends more than the guest takes is paused, and resumed', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  let given = 0;
  while (connection.stream.events.data(bytes(32_768))) given += 32_768;
  assert.ok(given <= 1 << 17);
  assert.equal(connection.stream.resumed, 0);
  for (let acknowledged = 0; connection.stream.resumed === 0; ) {
    acknowledged += connection.seen().reduce((sum, { text }) => sum + Number(text.split('+')[1]), 0);
    connection.send('A', 0, acknowledged, { window: 500 });
    assert.ok(acknowledged < 200_000);
  }
});

test('a host that gives more than there is room for loses nothing', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  assert.equal(connection.stream.events.data(bytes(200_000)), false);
  connection.stream.events.ended();
  let acknowledged = 0;
  const received: number[] = [];
  for (let round = 0; round < 200 && acknowledged < 200_000; round++) {
    for (const segment of bench.guest.takeSegments()) received.push(...segment.payload);
    acknowledged = received.length;
    connection.send('A', 0, acknowledged, { window: 500 });
  }
  assert.deepEqual(received, [...bytes(200_000)]);
  bench.clock.advance(1);
  connection.send('A', 0, 200_001, { window: 500 });
  connection.send('FA', 0, 200_001);
  assert.equal(connection.stream.ended, true);
});

test('a lost segment is sent again after a while, with growing patience', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.events.data(bytes(100));
  assert.deepEqual(connection.texts(), ['PA 0+100']);
  const waits: number[] = [];
  for (let waited = 0; waits.length < 4; waited += 10) {
    bench.clock.advance(10);
    if (connection.texts().length > 0) {
      waits.push(waited);
      waited = 0;
    }
  }
  for (let i = 1; i < waits.length; i++) assert.ok((waits[i] as number) > (waits[i - 1] as number) * 1.5);
  connection.send('A', 0, 100);
  bench.clock.advance(100_000);
  assert.deepEqual(connection.texts(), [], 'what was acknowledged is not sent again');
});

test('three duplicate acknowledgments bring the missing segment at once, and one more for each further hole', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.events.data(bytes(8 * mss));
  assert.equal(connection.texts().length, 8);
  connection.send('A', 0, mss, { window: 500 });
  connection.send('A', 0, mss, { window: 500 });
  connection.send('A', 0, mss, { window: 500 });
  assert.deepEqual(connection.texts(), []);
  connection.send('A', 0, mss, { window: 500 });
  assert.deepEqual(connection.texts(), [`A ${mss}+${mss}`]);
  connection.send('A', 0, 4 * mss, { window: 500 });
  assert.deepEqual(connection.texts(), [`A ${4 * mss}+${mss}`], 'the next hole (RFC 6582)');
  connection.send('A', 0, 8 * mss, { window: 500 });
  assert.deepEqual(connection.texts(), []);
});

test('after a timeout the window is one segment, and grows again', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.events.data(bytes(9 * mss));
  connection.texts();
  bench.clock.advance(1500);
  assert.deepEqual(connection.texts(), [`A 0+${mss}`]);
  connection.send('A', 0, mss, { window: 500 });
  assert.deepEqual(connection.texts(), [`A ${mss}+${mss}`, `A ${2 * mss}+${mss}`]);
  connection.send('A', 0, 9 * mss, { window: 500 });
  assert.deepEqual(connection.texts(), []);
});

test('a closed window is probed, and what waits goes when it opens', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.send('A', 0, 0, { window: 0 });
  connection.stream.events.data(bytes(3000));
  assert.deepEqual(connection.texts(), []);
  bench.clock.advance(1500);
  assert.deepEqual(connection.texts(), ['A 0+1']);
  connection.send('A', 0, 0, { window: 0 });
  bench.clock.advance(3000);
  assert.deepEqual(connection.texts(), ['A 0+1']);
  bench.clock.advance(100_000);
  connection.texts();
  connection.send('A', 0, 1, { window: 500 });
  assert.deepEqual(connection.texts(), [
    `A 1+${mss}`,
    `A ${mss + 1}+${mss}`,
    `PA ${2 * mss + 1}+${3000 - 2 * mss - 1}`,
  ]);
});

test('a window that stays closed for hours is no reason to give up, as long as probes are answered', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.send('A', 0, 0, { window: 0 });
  connection.stream.events.data(bytes(10));
  for (let minute = 0; minute < 180; minute++) {
    bench.clock.advance(60_000);
    if (connection.texts().length > 0) connection.send('A', 0, 0, { window: 0 });
  }
  assert.equal(connection.stream.wasReset, false);
  bench.clock.advance(1_000_000);
  assert.equal(connection.stream.wasReset, true, 'a guest that answers no probe is gone');
});

test('a full cable holds frames back, and nothing is lost when it is free again', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  bench.guest.hasRoom = false;
  connection.stream.events.data(bytes(5000));
  connection.send('A', 0, 0, { payload: bytes(3000) });
  assert.deepEqual(connection.texts(), []);
  bench.guest.hasRoom = true;
  bench.nat.resume();
  const [first] = connection.seen();
  assert.equal(first?.text, `A 0+${mss}`);
  assert.equal(first.acknowledged, 3000);
  connection.send('A', 3000, 5000, { window: 500 });
  bench.clock.advance(100_000);
  assert.deepEqual(connection.texts(), []);
});

test('acknowledgments of what was never sent are answered, and change nothing', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.events.data(bytes(10));
  connection.texts();
  connection.send('A', 0, 5000);
  assert.deepEqual(connection.texts(), ['A 10+0']);
  connection.send('A', 0, 10);
  bench.clock.advance(5000);
  assert.deepEqual(connection.texts(), []);
});

test('a quarter of a megabyte each way through a cable that loses, doubles and swaps', async () => {
  const bench = natBench();
  const connection = openConnection(bench, { window: 64_000 });
  const { stream } = connection;
  const total = 1 << 18;
  let seed = 12345;
  const chance = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed / 2 ** 32;
  };
  const received = new Map<number, number[]>();
  let receivedEnd = 0;
  let written = 0;
  let sentEnd = 0;
  let acknowledged = 0;
  let hostReady = true;
  let resumed = 0;
  for (let round = 0; round < 60_000 && (receivedEnd < total || acknowledged < total); round++) {
    if (stream.resumed > resumed) {
      resumed = stream.resumed;
      hostReady = true;
    }
    if (hostReady && written < total) {
      const count = Math.min(16_384, total - written);
      hostReady = stream.events.data(bytes(count, written));
      written += count;
    }
    for (const segment of bench.guest.takeSegments()) {
      if (chance() < 0.05) continue;
      acknowledged = Math.max(acknowledged, (segment.acknowledgment - 0xffff_fff1) | 0);
      const offset = (segment.sequence - connection.natSyn - 1) | 0;
      if (segment.payload.length > 0) received.set(offset, segment.payload);
      for (const [at, payload] of received) {
        if (at > receivedEnd) continue;
        if (at + payload.length > receivedEnd) receivedEnd = at + payload.length;
        received.delete(at);
      }
      if (chance() >= 0.05) connection.send('A', sentEnd, receivedEnd, { window: 500 });
    }
    // The guest's side goes back to what is not acknowledged, in pieces, now and then from a wrong place.
    const at = chance() < 0.2 ? acknowledged + Math.floor(chance() * 5000) : sentEnd;
    const end = Math.min(total, at + mss);
    if (at < end && chance() >= 0.05)
      connection.send('A', at, receivedEnd, { payload: bytes(end - at, at), window: 500 });
    sentEnd = sentEnd - acknowledged > 60_000 || sentEnd >= total ? acknowledged : Math.max(sentEnd, end);
    await bench.settle();
    bench.clock.advance(5);
  }
  assert.equal(receivedEnd, total);
  assert.equal(acknowledged, total);
  await bench.settle();
  assert.equal(stream.written.length, total);
  assert.ok(stream.written.every((byte, i) => byte === (i & 0xff)));
});

test('a second connection is not disturbed by the first', async () => {
  const bench = natBench();
  const first = openConnection(bench);
  const second = openConnection(bench, {}, { ...ends, port: 40_001 });
  first.send('PA', 0, 0, { payload: [1] });
  second.send('PA', 0, 0, { payload: [2] });
  await bench.settle();
  assert.deepEqual([first.stream.written, second.stream.written], [[1], [2]]);
});
