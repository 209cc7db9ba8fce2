import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChannelDecoder, type ChannelEvent, encodeInput } from './guest-channel.ts';
import { GuestSession } from './guest-session.ts';

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** Decodes `text` in pieces of `step` bytes, the pieces of a payload put together. */
function decode(text: string, step: number): unknown[] {
  const decoder = new ChannelDecoder();
  const events: ChannelEvent[] = [];
  for (let at = 0; at < text.length; at += step) events.push(...decoder.push(bytes(text.slice(at, at + step))));
  const result: unknown[] = [];
  let open: [string, string] | undefined;
  for (const event of events) {
    if (event.kind !== 'output') {
      result.push(event);
      open = undefined;
      continue;
    }
    if (open === undefined || open[0] !== event.stream) {
      open = [event.stream, ''];
      result.push(open);
    }
    open[1] += Buffer.from(event.bytes).toString('latin1');
  }
  return result;
}

test('frames are the same however the bytes are cut', () => {
  const text = 'R\nW 4000\nO 5\nab\nc\xffE 3\nO 1W 7\nO 0\nX 3\nB\n';
  for (const step of [1, 2, 3, 7, 100]) {
    assert.deepEqual(decode(text, step), [
      { kind: 'ready' },
      { kind: 'wants', bytes: 4000 },
      ['stdout', 'ab\nc\xff'],
      ['stderr', 'O 1'],
      { kind: 'wants', bytes: 7 },
      { kind: 'status', status: 3 },
      { kind: 'going-down' },
    ]);
  }
});

test('what is no frame is told once, and nothing after it is believed', () => {
  const wrong = [
    'Q\n',
    'O\n',
    'O x\n',
    'O -1\n',
    'O 99999999\n',
    'X 256\n',
    'R 1\n',
    '\n',
    'r\n',
    'O 1 2\n',
    'W 1\r\n',
  ];
  for (const line of wrong) {
    const events = decode(`${line}X 0\n`, 1000) as { kind: string }[];
    assert.deepEqual(
      events.map((event) => event.kind),
      ['malformed'],
      JSON.stringify(line),
    );
  }
  assert.equal((decode('x'.repeat(10_000), 1000) as unknown[]).length, 1);
});

test('input is handed out as it is asked for, and its end is said', async () => {
  const sent: string[] = [];
  const input = bytes('line one\nline two\n');
  let at = 0;
  const session = new GuestSession({
    output: async () => {},
    readInput: async (maxBytes) => {
      const piece = input.subarray(at, at + maxBytes);
      at += piece.length;
      return piece;
    },
    sendToGuest: (message) => sent.push(Buffer.from(message).toString()),
    ready: () => {},
    status: () => {},
    malformed: () => {},
  });
  for (const request of ['W 12\n', 'W 12\n', 'W 12\n']) {
    await session.receive(bytes(request));
    await new Promise(setImmediate);
  }
  assert.deepEqual(sent, ['12\nline one\nlin', '6\ne two\n', '0\n']);
});

test('an answer to a request carries its length', () => {
  assert.equal(Buffer.from(encodeInput(bytes('a\0b'))).toString(), '3\na\0b');
});
