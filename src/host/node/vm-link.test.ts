/** Both ends of a link on one thread. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Block } from './fair-use/block.ts';
import { allocateLink, createProcessorHost, HostLink, sharedNowNs } from './vm-link.ts';

const hourNs = 3.6e12;

const once = (fromNs: number, untilNs: number): Block => ({ fromNs, untilNs, everyNs: 0, endNs: untilNs });

function bothEnds(processor = 0) {
  const buffer = allocateLink();
  return { link: new HostLink(buffer), processor: createProcessorHost(buffer, processor) };
}

test('a processor that is not held back does not wait', () => {
  const { link, processor } = bothEnds();
  assert.equal(processor.standBack(), 0);
  const nowNs = sharedNowNs();
  link.block(once(nowNs - hourNs, nowNs));
  assert.equal(processor.standBack(), 0);
  link.block(once(nowNs + hourNs, nowNs + 2 * hourNs));
  assert.equal(processor.standBack(), 0);
  link.block(once(nowNs - hourNs, nowNs + hourNs));
  link.block(undefined);
  assert.equal(processor.standBack(), 0);
});

test('a processor that is held back waits for its time', () => {
  const { link, processor } = bothEnds(3);
  const untilNs = sharedNowNs() + 20e6;
  link.block(once(0, untilNs));
  while (processor.standBack() > 0);
  assert.ok(sharedNowNs() >= untilNs);
});

test('who wakes a processor wakes one that is held back, too', () => {
  const { link, processor } = bothEnds();
  link.block(once(0, sharedNowNs() + hourNs));
  link.setPaused('user', true);
  assert.ok(processor.standBack() > 0);
  link.requestStop();
  assert.ok(processor.standBack() > 0);
  assert.ok(processor.stopRequested());
});

test('those that are held back are woken when they may go on earlier', () => {
  const { link, processor } = bothEnds(1);
  const nowNs = sharedNowNs();
  link.block(once(0, nowNs + hourNs));
  link.block(once(0, nowNs));
  // Its bell has rung: it does not sleep through the hour that it still may have in mind.
  processor.sleep(hourNs);
  assert.equal(processor.standBack(), 0);
});

test('sleeping for want of work is counted, being held back is not', () => {
  const { link, processor } = bothEnds(2);
  assert.equal(link.sleptNs(2), 0);
  const fromNs = sharedNowNs();
  processor.sleep(5e6);
  const sleptNs = link.sleptNs(2);
  assert.ok(sleptNs > 0 && sleptNs <= sharedNowNs() - fromNs);
  link.block(once(0, sharedNowNs() + 5e6));
  while (processor.standBack() > 0);
  assert.equal(link.sleptNs(2), sleptNs);
  assert.equal(link.sleptNs(1), 0);
});
