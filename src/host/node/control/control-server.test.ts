/** Clients of all kinds; see protocol.test.ts for what is said. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fail, ok } from '../../../support/result.ts';
import { askControl } from './control-client.ts';
import { ControlServer } from './control-server.ts';
import { type ControlRequest, encodeRequest } from './protocol.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-control-'));
after(() => rmSync(folder, { recursive: true }));
const patience = { timeout: 60_000 };
const patienceMs = 10_000;

async function withServer(name: string, use: (path: string, met: ControlRequest[]) => Promise<void>): Promise<void> {
  const path = join(folder, name);
  const met: ControlRequest[] = [];
  const server = new ControlServer(async (request) => {
    met.push(request);
    if (request.command === 'statistics') return ok({ statistics: { instructions: met.length } });
    return request.command === 'pause' ? fail('no-answer', 'It sleeps.') : ok({});
  });
  assert.ok((await server.listen(path)).ok);
  await use(path, met);
  await server.close();
}

/** Sends `bytes`; resolves with the answers when the server has closed, or when there are `lines`. */
async function talk(path: string, bytes: string | Uint8Array, lines = Number.POSITIVE_INFINITY): Promise<unknown[]> {
  const socket = createConnection(path);
  let text = '';
  const enough = new Promise<void>((resolve) => {
    socket.on('data', (piece) => {
      text += piece.toString();
      if (text.split('\n').length > lines) resolve();
    });
    socket.on('close', () => resolve());
    socket.on('error', () => {});
  });
  socket.write(bytes);
  await enough;
  socket.destroy();
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test('requests are met in order, and refused ones do not hinder the next', patience, async () => {
  await withServer('order', async (path, met) => {
    const sent = [
      encodeRequest(1, { command: 'resizeConsole', rows: 1, columns: 2 }),
      'rubbish\n',
      encodeRequest(2, { command: 'pause' }),
      encodeRequest(3, { command: 'statistics' }),
    ];
    const answers = await talk(path, sent.join(''), 4);
    assert.deepEqual(answers, [
      { version: 1, id: 1, ok: true, result: {} },
      {
        version: 1,
        id: null,
        ok: false,
        error: { kind: 'malformed', message: 'A request is a line with a JSON object.' },
      },
      { version: 1, id: 2, ok: false, error: { kind: 'no-answer', message: 'It sleeps.' } },
      { version: 1, id: 3, ok: true, result: { statistics: { instructions: 3 } } },
    ]);
    assert.equal(met.length, 3);
  });
});

test('a line without an end is refused and its connection closed; others are served', patience, async () => {
  await withServer('endless', async (path, met) => {
    const [answer] = (await talk(path, 'x'.repeat(1 << 20))) as { error: { kind: string } }[];
    assert.equal(answer?.error.kind, 'too-long');
    assert.ok((await askControl<'stop'>(path, { command: 'stop' }, patienceMs)).ok);
    assert.deepEqual(met, [{ command: 'stop' }]);
  });
});

test('bytes that are no text, clients that vanish, and half a request harm nobody', patience, async () => {
  await withServer('hostile', async (path, met) => {
    await talk(
      path,
      Uint8Array.from({ length: 4096 }, (_, i) => (i * 37) & 0xff),
      1,
    );
    for (let i = 0; i < 200; i++) {
      const socket = createConnection(path);
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(encodeRequest(1, { command: 'statistics' }).slice(0, i % 2 === 0 ? 20 : undefined));
      socket.destroy();
    }
    assert.ok((await askControl<'stop'>(path, { command: 'stop' }, patienceMs)).ok);
    assert.ok(met.every(({ command }) => command === 'statistics' || command === 'stop'));
  });
});

test('who asks without end and never reads is not read from either', patience, async () => {
  await withServer('deaf', async (path, met) => {
    const deaf = createConnection(path);
    deaf.on('error', () => {});
    deaf.pause();
    const request = encodeRequest(1, { command: 'statistics' }).repeat(1000);
    // Until the system's buffers are full in both directions, and nothing moves any more.
    let before = -1;
    while (met.length !== before || deaf.writableLength === 0) {
      before = met.length;
      deaf.write(request);
      for (let i = 0; i < 5; i++) assert.ok((await askControl<'resume'>(path, { command: 'resume' }, patienceMs)).ok);
      met.splice(0, met.length, ...met.filter(({ command }) => command === 'statistics'));
    }
    deaf.destroy();
  });
});

test('more clients than there is room for do not crowd out those that are there', patience, async () => {
  await withServer('crowd', async (path) => {
    const crowd: Socket[] = [];
    for (let i = 0; i < 100; i++) {
      const socket = createConnection(path);
      socket.on('error', () => {});
      crowd.push(socket);
      if (i < 60) await once(socket, 'connect');
    }
    const first = crowd[0] as Socket;
    first.write(encodeRequest(1, { command: 'stop' }));
    assert.match(String((await once(first, 'data'))[0]), /"ok":true/);
    for (const socket of crowd) socket.destroy();
  });
});

test('a client gives up on what does not answer, answers rubbish, or is not there', patience, async () => {
  const none = await askControl<'stop'>(join(folder, 'none'), { command: 'stop' }, patienceMs);
  assert.ok(!none.ok && none.error.kind === 'unreachable');
  const path = join(folder, 'strange');
  for (const [reply, kind] of [
    ['', 'timeout'],
    ['rubbish\n', 'malformed'],
    ['x'.repeat(1 << 20), 'malformed'],
  ] as const) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.resume();
      socket.write(reply);
    }).listen(path);
    await once(server, 'listening');
    const answer = await askControl<'status'>(path, { command: 'status' }, reply === '' ? 200 : patienceMs);
    assert.ok(!answer.ok);
    assert.equal(answer.error.kind, kind);
    server.close();
    await once(server, 'close');
  }
});
