import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger, meanRatio, type Report, ratio } from './report.ts';
import { describeReport, layOut, resultTable, targetTable } from './table.ts';

const boot = { name: 'boot', title: 'power-on to init', unit: 's', better: 'less' } as const;
const loop = { name: 'loop', title: 'a loop', unit: 's', better: 'less' } as const;
const memory = { name: 'memory', title: 'memory', unit: 'MB', better: 'less' } as const;
const disk = { name: 'disk', title: 'reads', unit: 'MB/s', better: 'more' } as const;
const count = { name: 'count', title: 'instructions', unit: 'M' } as const;

function sample(): Report {
  const ledger = new Ledger();
  for (const seconds of [4, 2, 3]) ledger.add(boot, 'qemu-tcg', seconds);
  for (const seconds of [6, 5, 60]) ledger.add(boot, 'corbel-interpret', seconds);
  ledger.add(loop, 'native', 0.5);
  ledger.add(loop, 'qemu-tcg', 4);
  ledger.add(loop, 'corbel-interpret', 2);
  ledger.add(memory, 'corbel-interpret', 150);
  ledger.gap('gzip', 'every runner', 'no package');
  ledger.gap('gzip', 'every runner', 'no package');
  return {
    suite: 'engine',
    startedAt: '2026-01-01T00:00:00.000Z',
    host: { processor: 'A', cores: '2 cores' },
    runs: 3,
    memoryMb: 512,
    processors: 1,
    runners: { native: 'the host', 'qemu-tcg': 'QEMU 7', 'corbel-interpret': 'corbel 0' },
    series: ledger.series,
    gaps: ledger.gaps,
  };
}

test('ratios are of medians, and the mean is geometric over times alone', () => {
  const report = sample();
  assert.equal(ratio(report, 'boot', 'corbel-interpret', 'qemu-tcg'), 2);
  assert.equal(ratio(report, 'boot', 'corbel-interpret', 'native'), undefined);
  assert.equal(meanRatio(report, 'corbel-interpret', 'qemu-tcg'), 1);
  assert.equal(meanRatio(report, 'corbel-interpret', 'native'), 4);
  assert.equal(meanRatio(report, 'corbel-interpret', 'nobody'), undefined);
});

test('columns are aligned, numbers to the right', () => {
  assert.equal(
    layOut([
      ['', 'x'],
      ['long name', '1'],
      ['b', '100'],
    ]),
    '             x\n─────────  ───\nlong name    1\nb          100\n',
  );
});

test('the table has a column for each runner and each comparison; a missing value is a dash', () => {
  const [head, , ...lines] = resultTable(sample())
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(head, ['native', 'qemu-tcg', 'corbel-interpret', 'interpret/tcg', 'interpret/native']);
  assert.deepEqual(lines[0], ['power-on to init', 's', '–', '3.00', '6.00', '2.00', '–']);
  assert.deepEqual(lines[1], ['a loop', 's', '0.500', '4.00', '2.00', '0.500', '4.00']);
  assert.deepEqual(lines[2], ['memory', 'MB', '–', '–', '150', '–', '–']);
  assert.deepEqual(lines[3], ['geometric mean of the speeds', '1.00', '4.00']);
});

/** Corbel's rate is the third of QEMU's, its memory half. */
function rates(): Report {
  const ledger = new Ledger();
  for (const value of [300, 900, 600]) ledger.add(disk, 'qemu-tcg', value);
  ledger.add(disk, 'corbel', 200);
  ledger.add(memory, 'qemu-tcg', 400);
  ledger.add(memory, 'corbel', 200);
  ledger.add(count, 'qemu-tcg', 5);
  ledger.add(count, 'corbel', 6);
  const runners = { corbel: 'corbel 0', 'qemu-tcg': 'QEMU 7' };
  return { ...sample(), suite: 'debian', runners, series: ledger.series, gaps: [] };
}

test('the ratio of a rate is turned over; what has no better direction has none; memory is not in the mean', () => {
  const report = rates();
  assert.equal(ratio(report, 'disk', 'corbel', 'qemu-tcg'), 3);
  assert.equal(ratio(report, 'memory', 'corbel', 'qemu-tcg'), 0.5);
  assert.equal(ratio(report, 'count', 'corbel', 'qemu-tcg'), undefined);
  assert.ok(Math.abs((meanRatio(report, 'corbel', 'qemu-tcg') ?? 0) - 3) < 1e-9);
  const [head, , ...lines] = resultTable(report)
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(head, ['corbel', 'qemu-tcg', 'corbel/tcg']);
  assert.deepEqual(lines[0], ['reads', 'MB/s ↑', '200', '600', '3.00']);
  assert.deepEqual(lines[1], ['memory', 'MB', '200', '400', '0.500']);
  assert.deepEqual(lines[2], ['instructions', 'M', '6.00', '5.00']);
  assert.match(resultTable(report), /↑ more is better/);
  assert.doesNotMatch(resultTable(sample()), /↑/);
});

test('a target over another runner is judged by the ratio', () => {
  const over = 'qemu-tcg';
  const table = targetTable(rates(), [
    { measure: 'disk', runner: 'corbel', relation: '≤', limit: 1, over },
    { measure: 'memory', runner: 'corbel', relation: '≤', limit: 1, over, aim: 0.7 },
    { measure: 'memory', runner: 'corbel', relation: '≤', limit: 1, over: 'native' },
  ]);
  const [, , ...lines] = table.split('\n').map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(lines[0], ['corbel: reads', '3.00 of qemu-tcg', '≤ 1 of qemu-tcg', 'missed']);
  assert.deepEqual(lines[1], ['corbel: memory', '0.500 of qemu-tcg', '≤ 1 of qemu-tcg (aim 0.7)', 'met']);
  assert.equal(lines.length, 3);
});

test('targets are judged by their relation; those without a measurement are left out', () => {
  const runner = 'corbel-interpret';
  const table = targetTable(sample(), [
    { measure: 'boot', runner, relation: '≤', limit: 6 },
    { measure: 'boot', runner, relation: '<', limit: 6 },
    { measure: 'memory', runner, relation: '≥', limit: 151 },
    { measure: 'memory', runner: 'native', relation: '≤', limit: 1 },
    { measure: 'unknown', runner, relation: '≤', limit: 1 },
  ]);
  const verdicts = table.split('\n').slice(2, -1);
  assert.deepEqual(
    verdicts.map((line) => /\S+$/.exec(line)?.[0]),
    ['met', 'missed', 'missed'],
  );
  assert.equal(targetTable(sample(), []), '');
});

test('what was not measured is said once, with the reason', () => {
  const text = describeReport(sample(), []);
  assert.equal(resultTable({ ...sample(), series: [] }), '');
  assert.equal(text.split('gzip on every runner could not run: no package').length, 2);
});
