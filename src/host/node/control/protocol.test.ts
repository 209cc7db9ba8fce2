import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSplitter } from './line-splitter.ts';
import { encodeError, encodeRequest, encodeResult, parseReply, parseRequest } from './protocol.ts';

const refusal = (line: string) => {
  const parsed = parseRequest(line);
  assert.ok(!parsed.ok, line);
  return parsed.error;
};

test('what one side writes the other reads', () => {
  const requests = [
    { command: 'status' },
    { command: 'powerButton' },
    { command: 'stop' },
    { command: 'pause' },
    { command: 'resume' },
    { command: 'statistics' },
    { command: 'resizeConsole', rows: 24, columns: 80 },
    { command: 'balloon' },
    { command: 'setBalloon', targetBytes: 2 ** 29 },
  ] as const;
  for (const [id, request] of requests.entries()) {
    assert.deepEqual(parseRequest(encodeRequest(id, request)), { ok: true, value: { id, request } });
  }
  const status = { name: 'web', pid: 7, state: 'paused' } as const;
  assert.deepEqual(parseReply(encodeResult<'status'>(3, status), 3, 'status'), { ok: true, value: status });
  const statistics = { statistics: { instructions: 5 } };
  assert.deepEqual(parseReply(encodeResult<'statistics'>(3, statistics), 3, 'statistics'), {
    ok: true,
    value: statistics,
  });
  const balloon = { memoryBytes: 4, targetBytes: 3, actualBytes: 4, releasedBytes: 0, statistics: { freeBytes: 2 } };
  assert.deepEqual(parseReply(encodeResult<'balloon'>(3, { balloon }), 3, 'balloon'), { ok: true, value: { balloon } });
  const error = { kind: 'not-running', message: 'No.' } as const;
  assert.deepEqual(parseReply(encodeError(3, error.kind, error.message), 3, 'stop'), { ok: false, error });
});

test('everything but a request is refused, by a sentence, with its id where it has one', () => {
  const line = (value: unknown): string => JSON.stringify(value);
  const good = { version: 1, id: 7, command: 'status' };
  const malformed = [
    ...['', 'status', '{', '[]', 'null', '7', '"x"', '{"version":1', line([good]), '\u{fffd}'],
    ...[{ version: 1 }, { version: 1, id: 7 }].map(line),
    ...[-1, 1.5, '7', null, 2 ** 53, [], {}].map((id) => line({ ...good, id })),
    ...['fly', '', null, 7, ['status'], 'constructor', '__proto__', 'toString'].map((command) =>
      line({ ...good, command }),
    ),
    ...[{ extra: 1 }, { rows: 1 }, { __proto__: null, extra: {} }].map((more) => line({ ...good, ...more })),
    ...[{}, { rows: 24 }, { rows: 24, columns: 80, more: 1 }].map((more) =>
      line({ ...good, command: 'resizeConsole', ...more }),
    ),
    ...[0, -1, 1.5, 65_536, '80', null, 1e9].map((columns) =>
      line({ ...good, command: 'resizeConsole', rows: 24, columns }),
    ),
  ];
  for (const targetBytes of [0, -1, 1.5, '1G', null, 2 ** 60]) {
    malformed.push(line({ ...good, command: 'setBalloon', targetBytes }));
  }
  for (const text of malformed) assert.equal(refusal(text).kind, 'malformed', text);
  for (const version of [0, 2, '1', null, undefined]) assert.equal(refusal(line({ ...good, version })).kind, 'version');
  assert.equal(refusal(line({ ...good, command: 'fly' })).id, 7);
  assert.equal(refusal('{').id, null);
  assert.ok(refusal(line({ ...good, ['x'.repeat(10_000)]: 1 })).message.length < 200);
});

test('an answer to something else, or of another shape, is not taken', () => {
  const wrong = [
    '',
    '{',
    'null',
    '{"version":2,"id":3,"ok":true,"result":{}}',
    '{"version":1,"id":4,"ok":true,"result":{}}',
    '{"version":1,"id":3,"ok":true}',
    '{"version":1,"id":3,"ok":1,"result":{}}',
    '{"version":1,"id":3,"ok":true,"result":{"more":1}}',
    '{"version":1,"id":3,"ok":false}',
    '{"version":1,"id":3,"ok":false,"error":{"kind":1,"message":"x"}}',
  ];
  for (const line of wrong) {
    const parsed = parseReply(line, 3, 'stop');
    assert.ok(!parsed.ok && parsed.error.kind === 'malformed', line);
  }
  const whole = { memoryBytes: 4, targetBytes: 3, actualBytes: 4, releasedBytes: 0, statistics: {} };
  for (const more of [{ targetBytes: -1 }, { statistics: 7 }, { statistics: { free: 'all' } }, { more: 1 }]) {
    const reply = JSON.stringify({ version: 1, id: 3, ok: true, result: { balloon: { ...whole, ...more } } });
    assert.ok(!parseReply(reply, 3, 'balloon').ok, reply);
  }
  for (const state of ['flying', 7, null]) {
    const reply = `{"version":1,"id":3,"ok":true,"result":${JSON.stringify({ name: 'x', pid: 1, state })}}`;
    assert.ok(!parseReply(reply, 3, 'status').ok);
  }
});

test('lines are cut wherever the pieces end, up to their bound', () => {
  const text = 'first\n\nsecond ä\nrest';
  const bytes = Buffer.from(text);
  for (let size = 1; size <= bytes.length; size++) {
    const splitter = new LineSplitter(10);
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      lines.push(...(splitter.push(bytes.subarray(at, at + size)) ?? ['too long']));
    assert.deepEqual(lines, ['first', '', 'second ä']);
  }
  assert.deepEqual(new LineSplitter(3).push(Buffer.from('abc\n')), ['abc']);
  assert.equal(new LineSplitter(3).push(Buffer.from('abcd\n')), undefined);
  assert.equal(new LineSplitter(3).push(Buffer.from('abcd')), undefined);
});
