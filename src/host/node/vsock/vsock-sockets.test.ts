/** The UNIX sockets of a vsock device, with a guest played by its driver. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { VirtioVsock } from '../../../devices/virtio/vsock.ts';
import type { VsockPeer } from '../../../devices/virtio/vsock-connection.ts';
import { connectToGuest } from './vsock-client.ts';
import { VsockSockets } from './vsock-sockets.ts';

/** A device whose guest accepts port 1 and echoes, refuses port 2, and never answers on others. */
class EchoingGuest extends VirtioVsock {
  readonly peers: VsockPeer[] = [];
  resets = 0;

  override connect(port: number, peer: VsockPeer) {
    this.peers.push(peer);
    setImmediate(() => {
      if (port === 1) peer.opened();
      if (port === 2) peer.closed(true);
    });
    return {
      hostPort: 77,
      send: (bytes: Uint8Array) => {
        peer.receive(bytes, () => {});
        return true;
      },
      end: () => {
        peer.ended();
        peer.closed(false);
      },
      reset: () => {
        this.resets++;
      },
    };
  }
}

async function open(context: TestContext) {
  const folder = fs.mkdtempSync(join(tmpdir(), 'corbel-vsock-'));
  const path = join(folder, 'vsock.sock');
  const sockets = new VsockSockets({ path: path, guestCid: 3 });
  const guest = new EchoingGuest(3, sockets);
  sockets.attach(guest);
  assert.ok((await sockets.listen()).ok);
  context.after(() => {
    sockets.close();
    fs.rmSync(folder, { recursive: true });
  });
  return { folder, path, sockets, guest };
}

function collect(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

test('CONNECT reaches a port of the guest, byte for byte', async (context) => {
  const { path } = await open(context);
  const socket = connect(path);
  const answer = collect(socket);
  socket.write('CONNECT 1\nhello ');
  socket.end('world');
  assert.equal(await answer, 'OK 77\nhello world');
});

test('the client of this house: connected, refused, nobody there', async (context) => {
  const { path, folder } = await open(context);
  const connected = await connectToGuest(path, 1);
  assert.ok(connected.ok);
  const answer = collect(connected.value);
  connected.value.end('x'.repeat(300_000));
  connected.value.resume();
  assert.equal((await answer).length, 300_000);
  const refused = await connectToGuest(path, 2);
  assert.ok(!refused.ok && refused.error.kind === 'refused');
  const missing = await connectToGuest(join(folder, 'missing'), 1);
  assert.ok(!missing.ok && missing.error.kind === 'unreachable');
});

test('what is no request is hung up on', async (context) => {
  const { path, guest } = await open(context);
  for (const line of ['GET / HTTP/1.0\n', 'CONNECT\n', 'CONNECT -1\n', 'CONNECT 4294967296\n', 'x'.repeat(100)]) {
    const socket = connect(path);
    const answer = collect(socket);
    socket.write(line);
    assert.equal(await answer, '');
  }
  assert.deepEqual(guest.peers, []);
});

test('a client that goes away before the guest answers resets the connection', async (context) => {
  const { path, guest } = await open(context);
  const socket = connect(path);
  socket.on('error', () => {});
  socket.write('CONNECT 9\n');
  while (guest.peers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  guest.peers[0]?.opened();
  socket.destroy();
  while (guest.resets === 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a guest reaches a program that listens on PATH_port', async (context) => {
  const { path, sockets } = await open(context);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()));
    socket.on('end', () => socket.end('BYE'));
  });
  await new Promise<void>((resolve) => server.listen(`${path}_5000`, resolve));
  context.after(() => void server.close());
  const outcome = await new Promise<string>((resolve) => {
    let text = '';
    sockets.called(5000, {
      accept: (peer) => {
        setImmediate(() => peer.receive(Buffer.from('hello '), () => peer.ended()));
        return {
          hostPort: 5000,
          send: (bytes) => {
            text += Buffer.from(bytes).toString();
            return true;
          },
          end: () => resolve(text),
          reset: () => resolve('reset'),
        };
      },
      refuse: () => resolve('refused'),
    });
  });
  assert.equal(outcome, 'HELLO BYE');
  await new Promise<void>((refuse) => sockets.called(5001, { accept: () => assert.fail(), refuse }));
});

test('a socket that nobody is behind is replaced, anything else is not', async (context) => {
  const { folder, path } = await open(context);
  const second = await new VsockSockets({ path: path, guestCid: 3 }).listen();
  assert.ok(!second.ok && /EADDRINUSE/.test(second.error.message));
  fs.writeFileSync(join(folder, 'file'), 'precious');
  assert.equal((await new VsockSockets({ path: join(folder, 'file'), guestCid: 3 }).listen()).ok, false);
  assert.equal(fs.readFileSync(join(folder, 'file'), 'utf8'), 'precious');
  const stale = join(folder, 'stale');
  const { spawnSync } = await import('node:child_process');
  const script = `require('node:net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  assert.ok(fs.existsSync(stale));
  const third = new VsockSockets({ path: stale, guestCid: 3 });
  assert.ok((await third.listen()).ok);
  third.close();
  assert.equal((await new VsockSockets({ path: join(folder, 'no/folder'), guestCid: 3 }).listen()).ok, false);
});
