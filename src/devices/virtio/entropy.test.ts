import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtioEntropy } from './entropy.ts';
import { TestMachine } from './testing/test-machine.ts';

test('buffers are filled with what the host gives, at most 64 KiB a request', async () => {
  let next = 0;
  const count = (into: Uint8Array): void => {
    for (let n = 0; n < into.length; n++) into[n] = ++next;
  };
  const machine = new TestMachine(new VirtioEntropy(count));
  const [queue] = await machine.bringUp(0n);
  assert.ok(queue);
  const { written, buffers } = await queue.exchange([], [3, 2]);
  assert.equal(written, 5);
  assert.deepEqual(
    buffers.map((buffer) => [...buffer]),
    [
      [1, 2, 3],
      [4, 5],
    ],
  );
  assert.equal((await queue.exchange([], [100_000])).written, 65_536);
  assert.equal((await queue.exchange([Uint8Array.of(1)], [])).written, 0);
});
