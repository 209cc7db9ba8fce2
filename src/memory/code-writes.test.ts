import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateCodeWrites, CodeWriteReader, CodeWriteSender } from './code-writes.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function bench(processors: number) {
  const buffer = allocateCodeWrites();
  let woken = 0;
  const sender = new CodeWriteSender(buffer, processors, () => {
    woken++;
  });
  const readers = Array.from({ length: processors }, (_, n) => new CodeWriteReader(buffer, n));
  const dropped = readers.map((): [number, number][] => []);
  const serve = (n: number): void => readers[n]?.serve((offset, length) => void dropped[n]?.push([offset, length]));
  return { sender, readers, dropped, serve, woken: () => woken };
}

test('done is done when every processor has done it', async () => {
  const { sender, readers, dropped, serve, woken } = bench(3);
  let done = false;
  sender.drop([{ offset: 0xffff_f000, length: 4096 }], () => {
    done = true;
  });
  assert.equal(woken(), 1);
  assert.deepEqual(
    readers.map(({ waiting }) => waiting),
    [true, true, true],
  );
  for (const n of [2, 0]) serve(n);
  serve(0);
  await turn();
  assert.equal(done, false);
  serve(1);
  await turn();
  assert.equal(done, true);
  assert.deepEqual(dropped, new Array(3).fill([[0xffff_f000, 4096]]));
  assert.deepEqual(
    readers.map(({ waiting }) => waiting),
    [false, false, false],
  );
});

test('what comes during a round goes with the next, and more places than a round carries take several', async () => {
  const { sender, dropped, serve } = bench(1);
  const order: string[] = [];
  sender.drop([{ offset: 1, length: 1 }], () => void order.push('a'));
  sender.drop([{ offset: 2, length: 1 }], () => void order.push('b'));
  const many = Array.from({ length: 1000 }, (_, n) => ({ offset: 100 + n, length: 1 }));
  sender.drop(many, () => void order.push('c'));
  for (let n = 0; n < 20 && order.length < 3; n++) {
    serve(0);
    await turn();
  }
  assert.deepEqual(order, ['a', 'b', 'c']);
  assert.deepEqual(
    dropped[0]?.map(([offset]) => offset),
    [1, 2, ...many.map(({ offset }) => offset)],
  );
});
