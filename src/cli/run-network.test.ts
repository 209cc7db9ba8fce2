/** What `corbel run` says where a network cannot be, with the fake machine: no stack traces, a reason, a status. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { corbel } from './testing/corbel-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-run-network-'));
after(() => rmSync(folder, { recursive: true }));
const kernel = join(folder, 'kernel');
writeFileSync(kernel, 'a kernel');

const run = (...more: string[]) =>
  corbel(['run', '--kernel', kernel, '--append', 'echo', ...more], Buffer.from('hello\nq'));

test('a forwarded port that another process has', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ended = await run('--net', `user,hostfwd=tcp::${port}-:22`);
  server.close();
  assert.equal(
    ended.stderr,
    `corbel: hostfwd: TCP port 127.0.0.1:${port} cannot be opened (another process has it).\n`,
  );
  assert.deepEqual([ended.status, ended.stdout.length], [65, 0]);
});

test('a command line that makes no sense', async () => {
  const ended = await run('--net', 'user,hostfwd=tcp::22');
  assert.match(ended.stderr, /^corbel: --net: hostfwd takes tcp:\[ADDRESS\]:PORT-\[GUEST\]:PORT, like .*\n$/);
  assert.equal(ended.status, 64);
  const many = await run(...Array.from({ length: 9 }, () => ['--net', 'none']).flat());
  assert.equal(many.stderr, 'corbel: --net may be given 8 times at most.\n');
});

test('a capture file in no folder, a switch in none, a TAP device with a name that none can have', async () => {
  const capture = await run('--net', 'user', '--pcap', join(folder, 'no', 'such.pcap'));
  assert.match(capture.stderr, /^corbel: the capture file .* cannot be written \(ENOENT\)\.\n$/);
  const lan = await run('--net', `switch=${join(folder, 'no', 'such')}`);
  assert.match(lan.stderr, /^corbel: the switch .* cannot be made \(there is no such folder\)\.\n$/);
  const tap = await run('--net', 'tap=a/b');
  assert.match(tap.stderr, /^corbel: (tap=NAME needs a Linux host|"a\/b" cannot be the name).*\n$/);
  assert.deepEqual([capture.status, lan.status, tap.status], [65, 65, 64]);
});

test('networks are closed with the machine: the process ends, its files are whole and its socket is gone', async () => {
  const pcap = join(folder, 'empty.pcap');
  const lan = join(folder, 'lan');
  const ended = await run('--net', `user,switch=${lan}`, '--pcap', pcap);
  assert.deepEqual([ended.status, ended.stdout.toString(), ended.stderr], [0, 'hello\n', '']);
  assert.equal(readFileSync(pcap).length, 24);
  assert.throws(() => readFileSync(lan), { code: 'ENOENT' });
});
