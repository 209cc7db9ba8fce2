/** The agent that guests carry, run on this host with a socket in place of vsock. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Duplex, PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { AgentRequest, type RequestStreams } from './agent-request.ts';
import { encodeFrame, encodeList } from './frames.ts';
import { execInGuest, type GuestCommand } from './guest-command.ts';
import { noAgent, startAgent } from './testing/agent-process.ts';

const isRoot = process.getuid?.() === 0;

class Collected implements RequestStreams {
  readonly out: Uint8Array[] = [];
  readonly err: Uint8Array[] = [];
  #input: Uint8Array;

  constructor(input = '') {
    this.#input = Buffer.from(input);
  }

  async readInput(maxBytes: number): Promise<Uint8Array> {
    const piece = this.#input.subarray(0, maxBytes);
    this.#input = this.#input.subarray(piece.length);
    return piece;
  }

  async output(bytes: Uint8Array): Promise<void> {
    this.out.push(bytes);
  }

  async errors(bytes: Uint8Array): Promise<void> {
    this.err.push(bytes);
  }

  get text(): string {
    return Buffer.concat(this.out).toString();
  }

  get errorText(): string {
    return Buffer.concat(this.err).toString();
  }
}

async function run(context: TestContext, command: Partial<GuestCommand>, streams = new Collected()) {
  const request = execInGuest((await startAgent(context)).stream, { argv: [], environment: {}, ...command }, streams);
  return { end: await request.ended, streams };
}

const shell = (line: string): readonly string[] => ['sh', '-c', line];

test('output, errors, input and status are the program’s', { skip: noAgent }, async (context) => {
  const argv = ['sh', '-c', 'cat; echo "$1|$2" >&2; exit 3', 'sh', 'with space', "quo'te\n"];
  const { end, streams } = await run(context, { argv }, new Collected('input\n'));
  assert.deepEqual(end, { ok: true, value: { kind: 'exit', status: 3 } });
  assert.equal(streams.text, 'input\n');
  assert.equal(streams.errorText, "with space|quo'te\n\n");
});

test('environment and directory', { skip: noAgent }, async (context) => {
  const environment = { A: 'b=c\nd', PATH: '/bin:/usr/bin' };
  const { streams } = await run(context, { argv: shell('pwd; printf "%s" "$A"; env'), environment, directory: '/usr' });
  const lines = streams.text.split('\n');
  assert.deepEqual(lines.slice(0, 2), ['/usr', 'b=c']);
  assert.ok(lines.includes(`HOME=${process.env.HOME}`));
  assert.ok(!lines.some((line) => line.startsWith('npm_')), 'the agent’s own environment stays with it');
});

test('a megabyte each way, byte for byte', { skip: noAgent }, async (context) => {
  const input = randomBytes(1_000_000).toString('base64');
  const { end, streams } = await run(context, { argv: ['cat'] }, new Collected(input));
  assert.ok(end.ok);
  assert.equal(streams.text, input);
});

test('a reader that is slow holds the program up, one stream does not hold up the other', {
  skip: noAgent,
}, async (context) => {
  const streams = new Collected();
  const gate = Promise.withResolvers<void>();
  let taken = 0;
  streams.errors = async (bytes) => {
    taken += bytes.length;
    await gate.promise;
  };
  const argv = shell('head -c 2000000 /dev/zero >&2 & head -c 3000000 /dev/zero; wait; echo end');
  const request = execInGuest((await startAgent(context)).stream, { argv, environment: {} }, streams);
  while (Buffer.concat(streams.out).length < 3_000_000) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(taken <= 262_144, `${taken} bytes came though nobody took them`);
  gate.resolve();
  assert.ok((await request.ended).ok);
  assert.equal(taken, 2_000_000);
  assert.equal(Buffer.concat(streams.out).length, 3_000_004);
});

test('a program that does not read its input ends all the same', { skip: noAgent }, async (context) => {
  const { end } = await run(context, { argv: ['true'] }, new Collected('x'.repeat(3_000_000)));
  assert.deepEqual(end, { ok: true, value: { kind: 'exit', status: 0 } });
});

test('what a program leaves in the background is not waited for', { skip: noAgent }, async (context) => {
  const { end, streams } = await run(context, { argv: shell('sleep 100 & echo $!') });
  assert.ok(end.ok);
  process.kill(Number(streams.text), 'SIGKILL');
});

test('signals reach it, and it can end by one', { skip: noAgent }, async (context) => {
  const streams = new Collected();
  const argv = shell("trap 'echo trapped' USR1; echo ready; while :; do sleep 0.05; done");
  const request = execInGuest((await startAgent(context)).stream, { argv, environment: {} }, streams);
  const shows = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(streams.text)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await shows(/ready/);
  request.signal('USR1');
  await shows(/trapped/);
  request.signal('NONSENSE');
  request.signal('TERM');
  assert.deepEqual(await request.ended, { ok: true, value: { kind: 'signal', signal: 15 } });
});

test('a terminal: size, its changes, keys, the end of input', { skip: noAgent }, async (context) => {
  const streams = new Collected();
  const keys = new PassThrough();
  streams.readInput = async (maxBytes) => {
    while (keys.readableLength === 0 && !keys.readableEnded) await new Promise((resolve) => setTimeout(resolve, 10));
    return keys.readableEnded ? new Uint8Array(0) : keys.read(Math.min(maxBytes, keys.readableLength));
  };
  const argv = shell('stty size; tty; read line; echo "got $line"; read line; stty size; exec sleep 100');
  const request = execInGuest(
    (await startAgent(context)).stream,
    { argv, environment: { TERM: 'vt100' }, terminal: { rows: 33, columns: 111 } },
    streams,
  );
  const shows = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(streams.text)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await shows(/33 111\r\n\/dev\/pts\/[0-9]+\r\n/);
  keys.write('wrong\x7f\x7f\x7f\x7f\x7fright\r');
  await shows(/got right\r\n/);
  request.resize(44, 55);
  keys.write('\r');
  await shows(/44 55\r\n/);
  keys.write('\x03');
  context.after(() => keys.resume().end());
  assert.deepEqual(await request.ended, { ok: true, value: { kind: 'signal', signal: 2 } });
});

test('without a program it is the login shell', { skip: noAgent }, async (context) => {
  const { end, streams } = await run(context, {}, new Collected('echo "$0"; exit 4\n'));
  assert.deepEqual(end, { ok: true, value: { kind: 'exit', status: 4 } });
  assert.match(streams.text, /^-[a-z]*sh\n$/);
});

test('what cannot be run says why', { skip: noAgent }, async (context) => {
  const kinds: [Partial<GuestCommand>, string, RegExp][] = [
    [{ argv: ['/nonexistent/program'] }, 'not-found', /nonexistent/],
    [{ argv: ['no such program'] }, 'not-found', /no such program/],
    [{ argv: ['/etc/passwd'] }, 'not-executable', /Permission denied/],
    [{ argv: ['true'], directory: '/nonexistent' }, 'directory', /nonexistent/],
    [{ argv: ['true'], user: 'nobody-of-that-name' }, 'user', /nobody-of-that-name/],
    [{ argv: ['true'], environment: { A: 'a\0b' } }, 'protocol', /NUL/],
  ];
  for (const [command, kind, pattern] of kinds) {
    const { end } = await run(context, command);
    assert.ok(!end.ok);
    assert.equal(end.error.kind, kind);
    assert.match(end.error.message, pattern);
  }
});

test('another user', { skip: noAgent || (isRoot ? false : 'only root can become somebody else') }, async (context) => {
  const { streams } = await run(context, { argv: shell('id -un; id -gn; echo $HOME'), user: 'daemon' });
  assert.equal(streams.text, 'daemon\ndaemon\n/usr/sbin\n');
  const numbered = await run(context, { argv: ['id', '-u'], user: '1' });
  assert.equal(numbered.streams.text, '1\n');
});

test('the guest hangs up on a program whose host went away', { skip: noAgent }, async (context) => {
  const { stream, child } = await startAgent(context);
  const streams = new Collected();
  const request = execInGuest(stream, { argv: shell('echo $$; exec sleep 100'), environment: {} }, streams);
  while (!streams.text.includes('\n')) await new Promise((resolve) => setTimeout(resolve, 10));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  request.abandon();
  assert.equal((await request.ended).ok, false);
  await gone;
  while (spawnSync('kill', ['-0', streams.text.trim()]).status === 0) {
    const state = spawnSync('ps', ['-o', 'stat=', '-p', streams.text.trim()]).stdout.toString();
    if (state.trim().startsWith('Z') || state === '') break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

/** A peer that answers with `bytes`, whatever it is asked. */
function pretender(bytes: string | Uint8Array): Duplex {
  const stream = new Duplex({ read: () => {}, write: (_bytes, _encoding, done) => done() });
  stream.push(bytes);
  return stream;
}

test('what is not the agent, or breaks the protocol, is an error', async () => {
  const greeting = Buffer.from('CORBEL-AGENT 1\n');
  const frames = (...list: Uint8Array[]): Uint8Array => Buffer.concat([greeting, ...list]);
  const started = encodeFrame('S', encodeList([]));
  const cases: [string | Uint8Array, RegExp][] = [
    ['SSH-2.0-OpenSSH_9.2p1\r\n', /is not Corbel's agent/],
    ['x'.repeat(1000), /is not Corbel's agent/],
    ['CORBEL-AGENT 7\n', /version 7, this is 1: use a newer corbel/],
    ['CORBEL-AGENT 0\n', /make the image anew/],
    [frames(encodeFrame('Z')), /broke the protocol: a frame of type "Z"/],
    [frames(Buffer.from('O\xff\xff\xff\xff', 'latin1')), /too long/],
    [frames(started, encodeFrame('X', encodeList(['exit', '999']))), /an end that is none/],
    [frames(started, encodeFrame('X', Buffer.from([0, 0, 0, 9]))), /no list/],
    [frames(started, encodeFrame('C', encodeList(['I', '-1']))), /credit/],
    [frames(started, ...Array(5).fill(encodeFrame('O', new Uint8Array(65_536)))), /more output than the window/],
  ];
  for (const [bytes, pattern] of cases) {
    const streams = new Collected();
    streams.output = () => new Promise(() => {});
    const request = new AgentRequest(pretender(bytes), 'E', ['argv', 'true'], streams);
    const end = await request.ended;
    assert.ok(!end.ok);
    assert.match(end.error.message, pattern);
  }
  const closing = pretender(greeting);
  closing.push(null);
  const end = await new AgentRequest(closing, 'E', [], new Collected()).ended;
  assert.ok(!end.ok && end.error.kind === 'connection');
});

test('the agent refuses hosts that break the protocol', { skip: noAgent }, async (context) => {
  const cases: [string, RegExp][] = [
    ['GET / HTTP/1.0\r\n\r\n', /^CORBEL-AGENT 1\n$/],
    ['CORBEL-HOST 9\n', /^CORBEL-AGENT 1\n$/],
    ['CORBEL-HOST 1\nE\xff\xff\xff\xff', /F.*protocol.*a frame of 4294967295 bytes/s],
    ['CORBEL-HOST 1\nE\0\0\0\x02ab', /F.*protocol.*malformed/s],
    ['CORBEL-HOST 1\nQ\0\0\0\0', /F.*protocol.*type Q/s],
  ];
  for (const [bytes, pattern] of cases) {
    const { stream, child } = await startAgent(context);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    let received = '';
    stream.on('data', (data) => {
      received += data.toString('latin1');
    });
    stream.end(Buffer.from(bytes, 'latin1'));
    await gone;
    assert.match(received, pattern);
  }
});
