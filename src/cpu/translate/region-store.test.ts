import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webAssembly } from '../../wasm/webassembly.ts';
import { pseudoHandler } from '../interpret/handler-keys.ts';
import { JumpCache } from '../interpret/jump-cache.ts';
import { record } from '../interpret/record.ts';
import { records, regionMisses, regionReference, regionUse } from '../state/layout.ts';
import { createVcpuMemory } from '../state/vcpu-memory.ts';
import { RegionModule, RegionStore } from './region-store.ts';

const mode64 = 2;
const handler = 77;
const copied = 0x1234_5670;

function store() {
  const { buffer } = createVcpuMemory();
  const view = new DataView(buffer);
  const table = new webAssembly.Table({ element: 'anyfunc', initial: 64, maximum: 64 });
  const regions = new RegionStore(table, view, new JumpCache(buffer), () => copied);
  const recordOf = (n: number): number => records.base + n * record.size;
  const add = (n: number, module: RegionModule): void => {
    view.setUint16(recordOf(n) + record.handler, handler, true);
    const entries = [{ number: 0, record: recordOf(n), ramOffset: n * 4096, page: 0, lastPage: 0 }];
    const chunks = Int32Array.of(n * 64);
    regions.add({ function: null, module, entries, pages: [[0, n * 4096]], chunks, instructions: 1 }, mode64);
  };
  const isTranslated = (n: number): boolean =>
    view.getUint16(recordOf(n) + record.handler, true) === pseudoHandler.translated;
  const indexOf = (n: number): number => regions.referenceOf(recordOf(n)) >> regionReference.entryBits;
  return { regions, view, add, isTranslated, indexOf, handlerOf: (n: number) => view.getUint16(recordOf(n), true) };
}

test('a full code cache gives up what was not entered since the last time, then the oldest', () => {
  const { regions, view, add, isTranslated, indexOf, handlerOf } = store();
  for (const n of [1, 2, 3]) add(n, new RegionModule(100));
  regions.shrink(300);
  for (const n of [1, 3]) view.setUint8(regionUse.base + indexOf(n), 1);
  regions.shrink(200);
  assert.deepEqual([1, 2, 3].map(isTranslated), [true, false, true]);
  assert.equal(handlerOf(2), handler);
  for (const n of [1, 3]) view.setUint8(regionUse.base + indexOf(n), 1);
  regions.shrink(100);
  assert.deepEqual([1, 3].map(isTranslated), [false, true]);
  assert.equal(regions.bytes, 100);
  assert.equal(regions.dropped, 2);
});

test('a module counts until the last of its regions is gone; an overwritten chunk takes its regions along', () => {
  const { regions, add, isTranslated } = store();
  const module = new RegionModule(100);
  add(1, module);
  add(2, module);
  regions.drop(1, 0);
  assert.deepEqual([isTranslated(1), isTranslated(2), regions.bytes], [false, true, 100]);
  regions.drop(2, 1);
  assert.ok(isTranslated(2));
  regions.drop(2, 0);
  assert.deepEqual([isTranslated(2), regions.bytes], [false, 0]);
});

test('what regions were left for is forgotten by halves, and counted anew when one is reported or new', () => {
  const { regions, view, add, isTranslated, indexOf } = store();
  for (const n of [1, 2]) add(n, new RegionModule(100));
  const countOf = (n: number): number => regionMisses.base + indexOf(n) * 2;
  for (const n of [1, 2]) view.setUint16(countOf(n), 1000 * n, true);
  regions.ageMisses();
  assert.deepEqual(
    [1, 2].map((n) => view.getUint16(countOf(n), true)),
    [500, 1000],
  );
  const address = records.base + record.size;
  assert.deepEqual(regions.noteMissed(address)?.pages, [[0, 4096]]);
  assert.deepEqual(
    [1, 2].map((n) => view.getUint16(countOf(n), true)),
    [0, 1000],
  );
  const place = countOf(2);
  regions.removeAt(address + record.size);
  assert.ok(!isTranslated(2));
  assert.equal(regions.noteMissed(address + record.size), undefined);
  add(2, new RegionModule(100));
  assert.deepEqual([countOf(2), view.getUint16(place, true)], [place, 0]);
});

test('an entry has a copy of what the interpreter ran there, until its region is gone', () => {
  const { regions, view, add } = store();
  const address = records.base + record.size;
  view.setInt32(address + record.original, 5, true);
  add(1, new RegionModule(100));
  assert.equal(view.getInt32(address + record.original, true), copied);
  regions.removeAt(address);
  assert.equal(view.getInt32(address + record.original, true), 5);
});
