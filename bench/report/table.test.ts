import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger, meanRatio, type Report, ratio } from './report.ts';
import { describeReport, layOut, resultTable, targetTable } from './table.ts';

const boot = { name: 'boot', title: 'power-on to init', unit: 's' } as const;
const loop = { name: 'loop', title: 'a loop', unit: 's' } as const;
const memory = { name: 'memory', title: 'memory', unit: 'MB' } as const;

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
    startedAt: '2026-01-01T00:00:00.000Z',
    host: { processor: 'A', cores: '2 cores' },
    runs: 3,
    memoryMb: 512,
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
  assert.deepEqual(lines[2], ['memory', 'MB', '–', '–', '150']);
  assert.deepEqual(lines[3], ['geometric mean of the times', '1.00', '4.00']);
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
  assert.equal(text.split('gzip on every runner: no package').length, 2);
});
