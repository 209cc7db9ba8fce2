import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chart, scale } from './chart.ts';
import type { Measure, Report } from './report.ts';

const seconds = { unit: 's', better: 'less' } as const;

function report(
  title: string,
  { unit, better }: Pick<Measure, 'unit' | 'better'>,
  ...samples: readonly (readonly [string, number])[]
): Report {
  const measure: Measure = { name: 'work', title, unit, ...(better === undefined ? {} : { better }) };
  return {
    suite: 'engine',
    startedAt: '2026-01-01T00:00:00.000Z',
    host: {},
    runs: 1,
    memoryMb: 512,
    processors: 1,
    runners: Object.fromEntries(samples.map(([runner]) => [runner, ''])),
    series: samples.map(([runner, value]) => ({ measure, runner, samples: [value] })),
    gaps: [],
  };
}

/** Left edge and width of the bars, which alone have fractional positions. */
function bars(svg: string): { x: number; width: number }[] {
  return [...svg.matchAll(/<rect x="([0-9]+\.[0-9])" y="[^"]*" width="([0-9.]+)"/g)].map(([, x, width]) => ({
    x: Number(x),
    width: Number(width),
  }));
}

test('the scale is logarithmic, in whole decades, and holds 1 and every ratio', () => {
  const { decades, x } = scale([0.004, 20]);
  assert.deepEqual(decades, [-3, -2, -1, 0, 1, 2]);
  assert.ok(Math.abs(x(10) - x(1) - (x(1) - x(0.1))) < 1e-9);
  assert.deepEqual(scale([2]).decades, [-1, 0, 1]);
});

test('a faster runner has its bar to the left of 1, a slower one to the right', () => {
  const svg = chart(report('work', seconds, ['qemu-tcg', 2], ['native', 0.2], ['corbel-interpret', 20])) ?? '';
  const one = scale([0.1, 10]).x(1);
  const [left, right] = bars(svg);
  assert.ok(left !== undefined && right !== undefined);
  assert.ok(Math.abs(left.x + left.width - one) < 0.2);
  assert.ok(Math.abs(right.x - one) < 0.2);
  assert.ok(Math.abs(left.width - right.width) < 0.2);
});

test('a rate that is twice as high is drawn as half of the time; memory is not drawn', () => {
  const svg = chart(report('work', { unit: 'MB/s', better: 'more' }, ['qemu-tcg', 100], ['corbel', 200])) ?? '';
  const [bar] = bars(svg);
  const one = scale([0.5]).x(1);
  assert.ok(bar !== undefined && Math.abs(bar.x + bar.width - one) < 0.2);
  assert.match(svg, /work \(100 MB\/s\)/);
  assert.equal(chart(report('work', { unit: 'MB', better: 'less' }, ['qemu-tcg', 1], ['corbel', 2])), undefined);
});

test('names are text, not markup', () => {
  const svg = chart(report('a < b & "c"', seconds, ['qemu-tcg', 1], ['native', 1])) ?? '';
  assert.match(svg, /a &lt; b &amp; &quot;c&quot;/);
  assert.doesNotMatch(svg, /a < b/);
});

test('without QEMU, or with nothing beside it, there is nothing to draw', () => {
  assert.equal(chart(report('work', seconds, ['native', 1], ['corbel-interpret', 1])), undefined);
  assert.equal(chart(report('work', seconds, ['qemu-tcg', 1])), undefined);
});
