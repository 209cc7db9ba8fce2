import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeTlb } from '../state/layout.ts';
import { gatherPages } from './gather-pages.ts';

const everywhere = (distance: number): number => 1000 + distance;

function each(branches: readonly [number, number][], visit: (offset: number, target: number) => void): void {
  for (const [offset, target] of branches) visit(offset, target);
}

test('a region may reach what branches near its entry lead to, and what that leads to', () => {
  const branches = new Map([
    [1000, [[0x10, 5 * 4096 + 8]]],
    [1005, [[0x20, -3 * 4096]]],
  ] as [number, [number, number][]][]);
  const pages = gatherPages(1000 * 4096, everywhere, (ramPage, visit) => each(branches.get(ramPage) ?? [], visit));
  assert.deepEqual(
    [...pages].sort(),
    [
      [0, 1000],
      [1, 1001],
      [2, 1002],
      [5, 1005],
    ].sort(),
  );
});

test('pages that are not known are left out, as are pages that would share an entry of the code TLB', () => {
  const branches: [number, number][] = [
    [0, codeTlb.entries * 4096],
    [4, 7 * 4096],
    [8, -2 * 4096],
  ];
  const pages = gatherPages(
    1000 * 4096,
    (distance) => (distance === 7 ? -1 : everywhere(distance)),
    (_, visit) => each(branches, visit),
  );
  assert.ok(!pages.has(codeTlb.entries));
  assert.ok(!pages.has(7));
  assert.equal(pages.get(-2), 998);
});

test('the number of pages is bounded', () => {
  const branches = Array.from({ length: 200 }, (_, n): [number, number] => [n, (n + 2) * 4096]);
  assert.equal(gatherPages(1000 * 4096, everywhere, (_, visit) => each(branches, visit)).size, 10);
});
