/** `corbel run debian --exec`, with the guest's agent on this host behind a socket like that of a vsock device. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { powerOffByAgent, runAgentCommand } from './agent-session.ts';
import { noAgent } from './testing/agent-process.ts';
import { listenAsGuest } from './testing/agent-socket.ts';

const patienceMs = 60_000;

function newSocket(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'corbel-session-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'vsock.sock');
}

async function guest(context: TestContext, meet?: (socket: Socket) => boolean): Promise<string> {
  const socket = newSocket(context);
  const listening = await listenAsGuest(socket, meet);
  context.after(() => listening.close());
  return socket;
}

async function run(socket: string, command: string, input = '', patience = patienceMs) {
  const text = { output: '', errors: '' };
  let left = Buffer.from(input);
  const result = await runAgentCommand(
    { socket, command, patienceMs: patience },
    {
      readInput: async (maxBytes) => {
        const piece = left.subarray(0, maxBytes);
        left = left.subarray(piece.length);
        return piece;
      },
      output: async (bytes) => {
        text.output += Buffer.from(bytes).toString();
      },
      errors: async (bytes) => {
        text.errors += Buffer.from(bytes).toString();
      },
    },
  );
  return { result, ...text };
}

test('a line for the shell: its input, its output, its errors, its status', { skip: noAgent }, async (context) => {
  const socket = await guest(context);
  const ran = await run(socket, `cat; echo "a'b" >&2; exit 7`, 'in\n');
  assert.deepEqual(ran, { result: { ok: true, value: 7 }, output: 'in\n', errors: "a'b\n" });
  assert.deepEqual((await run(socket, 'kill -9 $$')).result, { ok: true, value: 137 });
  assert.deepEqual((await run(socket, 'nonexistent-program')).result, { ok: true, value: 127 });
});

test('a guest that is still starting is waited for', { skip: noAgent }, async (context) => {
  let met = 0;
  const socket = await guest(context, (connection) => {
    met++;
    // Nobody listens yet; then a boot stage goes away with the connection that it had taken.
    if (met <= 3) connection.destroy();
    else if (met === 4) connection.end('OK 5\n');
    return met <= 4;
  });
  assert.deepEqual((await run(socket, 'exit 3')).result, { ok: true, value: 3 });
  assert.equal(met, 5);
});

test('a guest without an agent is given up in time, by a sentence', async (context) => {
  const expected = {
    kind: 'agent',
    message: /^no agent answered in the guest within 0\.3 s: its image has none, .*\.$/,
  };
  const mute = (connection: Socket): boolean => connection.write('OK 5\n');
  for (const socket of [newSocket(context), await guest(context, mute)]) {
    const { result } = await run(socket, 'true', '', 300);
    assert.ok(!result.ok);
    assert.equal(result.error.kind, expected.kind);
    assert.match(result.error.message, expected.message);
  }
});

test('an agent of another version is not waited for', async (context) => {
  const socket = await guest(context, (connection) => connection.write('OK 5\nCORBEL-AGENT 999\n'));
  const { result } = await run(socket, 'true');
  assert.ok(!result.ok);
  assert.match(result.error.message, /speaks version 999/);
});

test('a guest that goes away while the command runs', { skip: noAgent }, async (context) => {
  const connections: Socket[] = [];
  const socket = await guest(context, (connection) => {
    connections.push(connection);
    return false;
  });
  const running = run(socket, 'sleep 100');
  // The agent greets, and then says that the command runs.
  while ((connections[0]?.bytesWritten ?? 0) < 'OK 1073741825\nCORBEL-AGENT 1\n'.length + 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  connections[0]?.destroy();
  const { result } = await running;
  assert.ok(!result.ok && result.error.kind === 'connection');
  assert.equal(connections.length, 1, 'the command is not run again');
});

test('where no agent is, nobody is asked to power off', async (context) => {
  assert.equal(await powerOffByAgent(newSocket(context)), false);
});
