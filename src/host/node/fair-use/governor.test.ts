import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostSimulation, type SimulatedHost } from './testing/host-simulation.ts';

/** Until everybody knows of everybody, and what went wrong before has been made up for. */
const settleSeconds = 5;
const measuredSeconds = 20;

function run(host: SimulatedHost): number[] {
  const simulation = new HostSimulation(host);
  simulation.run(settleSeconds);
  return simulation.run(measuredSeconds);
}

function assertWithin(actual: readonly number[], expected: readonly number[], tolerance = 0.05): void {
  const close = actual.every((value, n) => Math.abs(value / (expected[n] as number) - 1) <= tolerance);
  const text = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(', ');
  assert.ok(close, `${text(actual)} instead of ${text(expected)}`);
}

const withShares = (...shares: number[]) => shares.map((each) => ({ shares: each }));

test('four machines that fight for two cores get equal parts', () => {
  assertWithin(run({ cores: 2, vms: withShares(1024, 1024, 1024, 1024) }), [0.5, 0.5, 0.5, 0.5]);
});

test('four machines that fight for two cores get what their shares say', () => {
  assertWithin(run({ cores: 2, vms: withShares(3072, 2048, 2048, 1024) }), [0.75, 0.5, 0.5, 0.25]);
});

test('one whose shares are worth a core or more gets a whole one', () => {
  assertWithin(run({ cores: 2, vms: withShares(4096, 2048, 1024, 1024) }), [1, 0.5, 0.25, 0.25]);
  assertWithin(run({ cores: 2, vms: withShares(1024, 1024, 10_240, 1024) }), [1 / 3, 1 / 3, 1, 1 / 3]);
});

test('a limit holds for one that is alone', () => {
  assertWithin(run({ cores: 2, vms: [{ limit: 0.5 }] }), [0.5], 0.01);
  assertWithin(run({ cores: 4, vms: [{ limit: 1.5, processors: 4 }] }), [1.5], 0.01);
  assertWithin(run({ cores: 2, vms: [{ limit: 0.05 }] }), [0.05], 0.03);
});

test('a limit holds among others, who get the rest', () => {
  const others = withShares(1024, 1024, 1024);
  assertWithin(run({ cores: 2, vms: [{ limit: 0.2 }, ...others] }), [0.2, 0.6, 0.6, 0.6]);
});

test('a reserve holds against any shares', () => {
  const others = withShares(100_000, 100_000, 100_000);
  assertWithin(run({ cores: 2, vms: [{ shares: 2, reserve: 0.5 }, ...others] }), [0.5, 0.5, 0.5, 0.5]);
});

test('a reserve that other programs do not leave goes before shares, which still count for something', () => {
  const vms = [{ shares: 2, reserve: 0.8 }, ...withShares(1024, 1024)];
  const [reserved = 0, ...others] = run({ cores: 1, vms, others: 4 });
  assert.ok(reserved > 5 * Math.max(...others), `${reserved} against ${others.join(', ')}`);
  assert.ok(Math.min(...others) > 0, others.join(', '));
});

test('a machine with four processors gets no more than one with one', () => {
  assertWithin(run({ cores: 2, vms: [{ processors: 4 }, {}, {}, {}] }), [0.5, 0.5, 0.5, 0.5]);
});

test('without contention nobody is held back', () => {
  assertWithin(run({ cores: 4, vms: withShares(2, 1024, 262_144) }), [1, 1, 1], 0.001);
  assertWithin(run({ cores: 2, vms: [{ processors: 2, shares: 2 }] }), [2], 0.001);
});

test('what one does not want the others get', () => {
  const [lazy = 0, ...others] = run({ cores: 2, vms: [{ shares: 10_000, work: 0.2 }, {}, {}, {}] });
  assertWithin([lazy], [0.2], 0.1);
  assertWithin(others, [0.6, 0.6, 0.6]);
});

test('other programs are left what they would have had, and the rest is divided as it should be', () => {
  const equal = run({ cores: 2, vms: withShares(1024, 1024, 1024, 1024), others: 1 });
  assertWithin(equal, [0.4, 0.4, 0.4, 0.4], 0.02);
  for (const others of [1, 2, 8]) {
    const cores = run({ cores: 2, vms: withShares(3072, 2048, 2048, 1024), others });
    const total = cores.reduce((sum, each) => sum + each, 0);
    assertWithin(
      cores,
      [3, 2, 2, 1].map((part) => (part * total) / 8),
    );
    // As much as the one thread that never waits for the others has.
    assert.ok((cores[0] as number) > (2 / (4 + others)) * 0.9, `${cores[0]} with ${others} others`);
  }
});

test('a paused machine wants nothing: the others get its part, and its governor hardly looks', () => {
  const simulation = new HostSimulation({ cores: 2, vms: [{ processors: 4 }, { processors: 2 }, { limit: 0.5 }] });
  simulation.run(settleSeconds);
  simulation.setPaused(0, true);
  simulation.setPaused(2, true);
  simulation.run(settleSeconds);
  const before = [simulation.looks(0), simulation.looks(2)] as const;
  assertWithin(simulation.run(measuredSeconds).slice(1, 2), [2], 0.01);
  const looks = [simulation.looks(0) - before[0], simulation.looks(2) - before[1]];
  assert.deepEqual(looks, [2 * measuredSeconds, 2 * measuredSeconds]);
  simulation.setPaused(0, false);
  simulation.run(settleSeconds);
  assertWithin(simulation.run(measuredSeconds).slice(0, 2), [1, 1]);
});
