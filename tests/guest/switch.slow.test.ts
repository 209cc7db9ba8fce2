/** Two linux guests on one shared switch: different addresses from the first one's NAT, and a word between them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startLinux } from './linux-process.ts';

test('guests of two machines meet', { timeout: 400_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corbel-lan-'));
  const net = ['--net', `user,switch=${join(folder, 'lan')}`];
  const show = "ip -4 addr show eth0 | grep -o 'inet [0-9./]*'";
  const first = startLinux([...net, '--exec', `${show}; echo from-the-first | nc -l -p 9; ping -c 1 -q 10.0.2.2`]);
  // Its address is the first one given, so the second has to come later.
  const listening = new Promise<void>((resolve) => {
    first.child.stdout?.once('data', () => resolve());
  });
  await listening;
  const ask = 'until nc 10.0.2.15 9 </dev/null | grep from; do sleep 1; done';
  const second = startLinux([...net, '--exec', `${show}; ping -c 1 -q 10.0.2.2 | grep received; ${ask}`]);
  const [a, b] = await Promise.all([first.ended, second.ended]);
  await rm(folder, { recursive: true });
  assert.match(a.stdout.toString(), /^inet 10\.0\.2\.15\/24\n/);
  assert.equal(
    b.stdout.toString(),
    'inet 10.0.2.16/24\n1 packets transmitted, 1 packets received, 0% packet loss\nfrom-the-first\n',
  );
  assert.deepEqual([a.status, b.status, a.stderr, b.stderr], [0, 0, '', '']);
});
