import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MachineEvent } from '../../machine/config.ts';
import { allocateLink, createMachineHost, HostLink } from './vm-link.ts';
import { VmRequests } from './vm-requests.ts';

/** Both ends of a link on one thread: `look` does what a machine does between two slices. */
function bothEnds(patienceMs?: number) {
  const buffer = allocateLink();
  const requests = new VmRequests(new HostLink(buffer), patienceMs);
  const events: MachineEvent['kind'][] = [];
  const host = createMachineHost(buffer, (event) => {
    events.push(event.kind);
    requests.take(event);
  });
  let paused = false;
  const look = async (): Promise<void> => {
    // What was asked is in shared memory only when the asking code has run.
    await new Promise((resolve) => setImmediate(resolve));
    if (host.pauseRequested() !== paused) {
      paused = host.pauseRequested();
      host.report({ kind: paused ? 'paused' : 'resumed' });
    }
    for (let request = host.takeRequest(); request !== undefined; request = host.takeRequest()) {
      if (request === 'statistics') host.report({ kind: 'statistics', statistics: { instructions: 7 } });
    }
  };
  return { requests, host, events, look };
}

test('requests arrive once, however often they are made before the machine looks', () => {
  const { requests, host } = bothEnds();
  for (let i = 0; i < 3; i++) requests.pressPowerButton();
  assert.deepEqual([host.takeRequest(), host.takeRequest()], ['power-button', undefined]);
});

test('all who ask for counts get them', async () => {
  const { requests, look } = bothEnds();
  const asked = [requests.statistics(), requests.statistics()];
  await look();
  for (const statistics of asked) assert.deepEqual(await statistics, { instructions: 7 });
});

test('pauses and their ends are met one after another', async () => {
  const { requests, events, look } = bothEnds();
  const asked = [true, false, true, true, false].map((paused) => requests.setPaused(paused));
  for (let i = 0; i < 6; i++) await look();
  assert.deepEqual(await Promise.all(asked), [true, true, true, true, true]);
  assert.deepEqual(events, ['paused', 'resumed', 'paused', 'resumed']);
  assert.equal(requests.paused, false);
});

test('a machine that does not look is not paused later, either', async () => {
  const { requests, host } = bothEnds(20);
  assert.equal(await requests.setPaused(true), false);
  assert.equal(host.pauseRequested(), false);
  assert.equal(await requests.statistics(), undefined);
});

test('the end of the machine answers who waits, and who asks afterwards', async () => {
  const { requests } = bothEnds();
  const asked = [requests.setPaused(true), requests.setPaused(false)];
  const statistics = requests.statistics();
  await new Promise((resolve) => setImmediate(resolve));
  requests.end();
  assert.deepEqual([await statistics, ...(await Promise.all(asked))], [undefined, false, false]);
  assert.deepEqual([await requests.statistics(), await requests.setPaused(false)], [undefined, false]);
});
