import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryBesideGuest, processorLoad, processorSeconds } from './process.ts';

const guestBytes = 512 * 2 ** 20;

/** Two mappings that could be the guest's, a reservation and two others; sizes in kB as smaps has them. */
const smaps = `55d0c0000000-55d0c0100000 r-xp 00000000 08:01 131  /usr/bin/node
Size:               1024 kB
Rss:                1000 kB
Pss:                 900 kB
7f0000000000-7f0020000000 rw-p 00000000 00:00 0
Size:             524288 kB
Rss:              300000 kB
7f0100000000-7f0200000000 ---p 00000000 00:00 0
Rss:                   0 kB
7f0300000000-7f0340000000 rw-p 00000000 00:00 0
Rss:               64000 kB
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0  [stack]
Rss:                 136 kB
`;

test('memory beside the guest is everything resident but the smallest writable mapping with room for it', () => {
  assert.equal(memoryBesideGuest(smaps, guestBytes), ((1000 + 64000 + 136) * 1024) / 1e6);
});

test('before the guest memory is mapped there is no answer', () => {
  assert.equal(memoryBesideGuest(smaps, 2 ** 31), undefined);
  assert.equal(memoryBesideGuest('', guestBytes), undefined);
});

test('processor time is user and system time, whatever the process is called', () => {
  const stat = '42 (a) S (b c) R 1 42 42 0 -1 4194304 500 0 0 0 1234 66 7 8 20 0 11 0 500 1000 200';
  assert.equal(processorSeconds(stat), 13);
});

test('the load of this very process can be read where there is a /proc', {
  skip: process.platform !== 'linux',
}, async () => {
  const load = await processorLoad(process.pid, 0.05);
  assert.ok(load >= 0 && Number.isFinite(load));
});
