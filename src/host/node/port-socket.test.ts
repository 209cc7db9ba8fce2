import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openPortSockets, type PortSocket } from './port-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-port-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

async function bench(): Promise<{ port: PortSocket; path: string }> {
  const path = join(folder, `socket-${count++}`);
  const opened = await openPortSockets([{ name: 'n', path }]);
  assert.ok(opened.ok);
  return { port: opened.value[0] as PortSocket, path };
}

async function connect(path: string): Promise<Socket> {
  const socket = createConnection(path);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** A guest that takes what it gets, piece by piece when `take` is called. */
function guest() {
  const taken: string[] = [];
  const states: boolean[] = [];
  const waiting: (() => void)[] = [];
  return {
    taken,
    states,
    take: () => waiting.shift()?.(),
    port: {
      send: (bytes: Uint8Array) => {
        taken.push(Buffer.from(bytes).toString());
        return new Promise<boolean>((resolve) => waiting.push(() => resolve(true)));
      },
      setHostOpen: (open: boolean) => void states.push(open),
    },
  };
}

test('bytes both ways, and nothing is read from the client that the guest has no room for', async () => {
  const { port, path } = await bench();
  const { taken, states, take, port: guestPort } = guest();
  port.attach(guestPort);
  const client = await connect(path);
  client.write('first');
  await until(() => taken.length === 1);
  client.write('second');
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(taken, ['first']);
  take();
  await until(() => taken.length === 2);
  const received = new Promise((resolve) => client.once('data', (bytes) => resolve(String(bytes))));
  await port.receive(Buffer.from('from the guest'));
  assert.equal(await received, 'from the guest');
  client.destroy();
  await until(() => states.length === 3);
  assert.deepEqual(states, [false, true, false]);
  await port.receive(Buffer.from('to nobody'));
  port.close();
  await until(() => !existsSync(path));
});

test('a client that comes before the guest waits for it; a second one is turned away', async () => {
  const { port, path } = await bench();
  const client = await connect(path);
  client.write('early');
  const second = createConnection(path);
  await new Promise((resolve) => second.once('close', resolve));
  const { taken, states, port: guestPort } = guest();
  port.attach(guestPort);
  await until(() => taken.length === 1);
  assert.deepEqual([taken, states], [['early'], [true]]);
  port.close();
});

test('a path where no socket can be', async () => {
  const { port, path } = await bench();
  const taken = await openPortSockets([
    { name: 'a', path: join(folder, 'fine') },
    { name: 'b', path },
  ]);
  assert.ok(!taken.ok);
  assert.match(taken.error.message, /^there can be no socket at .*EADDRINUSE.*\.$/);
  await until(() => !existsSync(join(folder, 'fine')));
  port.close();
});
