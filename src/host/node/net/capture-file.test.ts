import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { capture } from '../../../net/capture.ts';
import { write16 } from '../../../net/frame/bytes.ts';
import { pseudoHeaderSum } from '../../../net/frame/checksum.ts';
import { FakePort } from '../../../net/testing/fake-port.ts';
import { ends, remote } from '../../../net/testing/open-connection.ts';
import { guestAddress, tcpFrame, udpFrame } from '../../../net/testing/scripted-guest.ts';
import { CaptureFile } from './capture-file.ts';
import { nodeNetClock } from './net-clock.ts';

const folder = await mkdtemp(join(tmpdir(), 'corbel-capture-'));
after(() => rm(folder, { recursive: true }));
const run = promisify(execFile);
const tcpdump = await run('tcpdump', ['--version']).then(
  () => true,
  () => false,
);

function record(path: string): CaptureFile {
  const file = CaptureFile.open(path);
  assert.ok(file.ok);
  const port = capture(new FakePort(), (bytes) => file.value.write(bytes), nodeNetClock);
  port.send(udpFrame(ends, [1, 2, 3]));
  const large = tcpFrame(ends, { flags: 'PA', sequence: 1000, acknowledgment: 7, payload: new Uint8Array(3000) });
  // As a guest leaves it: the field holds the sum of the pseudo header alone.
  write16(large, 50, pseudoHeaderSum(guestAddress, remote, 6, large.length - 34));
  port.send(large, { checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 });
  return file.value;
}

test('tcpdump reads it', { skip: tcpdump ? false : 'tcpdump is not installed' }, async () => {
  const path = join(folder, 'one.pcap');
  const before = Date.now();
  assert.equal(record(path).close(), undefined);
  const { stdout, stderr } = await run('tcpdump', ['-nnSvr', path, '--time-stamp-precision=nano', '-tt']);
  assert.match(stderr, /link-type EN10MB/);
  const lines = stdout.split('\n');
  assert.match(stdout, /10\.0\.2\.15\.40000 > 198\.51\.100\.7\.80: UDP, length 3/);
  const segments = lines.filter((line) => line.includes('Flags ['));
  assert.deepEqual(
    segments.map((line) => /cksum 0x[0-9a-f]+ \((\w+)\).*seq (\d+)/.exec(line)?.slice(1)),
    [
      ['correct', '1000'],
      ['correct', '2460'],
      ['correct', '3920'],
    ],
  );
  const seconds = Number(/^(\d+\.\d{9})/.exec(stdout)?.[1]);
  assert.ok(Math.abs(seconds * 1000 - before) < 60_000);
});

test('what has passed can be read while it goes on', async () => {
  const path = join(folder, 'two.pcap');
  const file = record(path);
  for (let patience = 500; (await readFile(path)).length <= 24; patience--) {
    assert.ok(patience > 0);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  file.close();
});

test('a place that cannot be written is told at once, a full one at the end', () => {
  const nowhere = CaptureFile.open(join(folder, 'no', 'such.pcap'));
  assert.match(nowhere.ok ? '' : nowhere.error.message, /^the capture file .* cannot be written \(ENOENT\)\.$/);
  assert.equal(record('/dev/full').close(), 'ENOSPC');
});
