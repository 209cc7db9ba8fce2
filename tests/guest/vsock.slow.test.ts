/** Connections between programs of the host and programs of a guest, with Linux's own vsock driver. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { provideLinuxPackages } from '../../src/host/node/guest/linux-packages.ts';
import { connectToGuest } from '../../src/host/node/vsock/vsock-client.ts';
import { startLinux } from './linux-process.ts';

const source = fileURLToPath(new URL('./vsock-tool.c', import.meta.url));

function buildTool(target: string): string | false {
  const { status, error } = spawnSync('gcc', ['-static', '-O1', '-o', target, source]);
  if (error !== undefined) return 'there is no gcc';
  return status === 0 ? false : 'gcc cannot build static programs here';
}

const folder = fs.mkdtempSync(join(tmpdir(), 'corbel-vsock-'));
const skip = buildTool(join(folder, 'vsock-tool'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));

const sum = (content: Uint8Array): string => createHash('md5').update(content).digest('hex');

async function exchange(path: string, port: number, sent: Uint8Array): Promise<Buffer> {
  const connected = await connectToGuest(path, port);
  assert.ok(connected.ok, connected.ok ? '' : connected.error.message);
  const socket = connected.value;
  const pieces: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => void pieces.push(bytes));
  const closed = new Promise((resolve) => socket.once('end', resolve));
  socket.end(sent);
  socket.resume();
  await closed;
  return Buffer.concat(pieces);
}

test('programs of host and guest reach each other', { skip, timeout: 900_000 }, async (context) => {
  // What is said while they are fetched would stand among the guest's errors.
  assert.ok((await provideLinuxPackages(() => {}, 'complete')).ok);
  const path = join(folder, 'vsock.sock');
  const data = randomBytes(1_500_000);
  fs.writeFileSync(join(folder, 'data'), data);
  const served: Socket[] = [];
  const echo = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(socket);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(`${path}_9`, resolve));
  context.after(() => void echo.close());
  const script = `mkdir /mnt && mount -t 9p -o trans=virtio,version=9p2000.L here /mnt && cd /mnt || exit 1
    cp vsock-tool /bin; vsock-tool listen 7 cat & vsock-tool listen 8 md5sum & vsock-tool listen 6 yes 2>/dev/null &
    vsock-tool connect 9 <data | md5sum
    vsock-tool connect 10 </dev/null 2>&1
    : >ready; while [ ! -e stop ]; do sleep 0.2; done`;
  const guest = startLinux(['--timeout', '800', '--share', `${folder}:here`, '--vsock', path, '--exec', script]);
  let over = false;
  void guest.ended.then(() => {
    over = true;
  });
  while (!fs.existsSync(join(folder, 'ready')) && !over) await new Promise((resolve) => setTimeout(resolve, 100));
  try {
    assert.ok(!over, 'the guest has ended');
    assert.ok((await exchange(path, 7, data)).equals(data));
    assert.equal((await exchange(path, 8, data)).toString(), `${sum(data)}  -\n`);
    const both = await Promise.all([exchange(path, 7, data), exchange(path, 7, data.subarray(1))]);
    assert.ok(both[0].equals(data) && both[1].equals(data.subarray(1)));
    const refused = await connectToGuest(path, 99);
    assert.ok(!refused.ok && refused.error.kind === 'refused');
    const endless = await connectToGuest(path, 6);
    assert.ok(endless.ok);
    // Nobody reads: the guest's program has to wait, and the host does not collect what it writes.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.ok(endless.value.readableLength < 1_000_000);
    endless.value.destroy();
    assert.equal((await exchange(path, 8, Buffer.from('after\n'))).toString(), `${sum(Buffer.from('after\n'))}  -\n`);
  } finally {
    fs.writeFileSync(join(folder, 'stop'), '');
  }
  const ended = await guest.ended;
  assert.equal(ended.stderr, '');
  assert.equal(ended.stdout.toString(), `${sum(data)}  -\nconnect: Connection reset by peer\n`);
  assert.equal(ended.status, 0);
  assert.equal(served.length, 1);
  assert.equal(fs.existsSync(path), false, 'the socket is removed');
});
