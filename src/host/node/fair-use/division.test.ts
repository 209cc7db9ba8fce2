import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Claim, divide, turnOf } from './division.ts';

const claim = (weight: number, most = 1, least = 0): Claim => ({ weight, least, most });

function near(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  const close = actual.every((value, n) => Math.abs(value - (expected[n] as number)) < 1e-9);
  assert.ok(close, `${actual.join(', ')} instead of ${expected.join(', ')}`);
}

test('equal weights get equal parts', () => {
  near(divide(2, [claim(1024), claim(1024), claim(1024), claim(1024)]), [0.5, 0.5, 0.5, 0.5]);
});

test('what is scarce is divided by weight', () => {
  near(divide(2, [claim(3072), claim(2048), claim(2048), claim(1024)]), [0.75, 0.5, 0.5, 0.25]);
});

test('what one cannot use goes to the others by their weight', () => {
  near(divide(2, [claim(4096), claim(1024), claim(1024), claim(1024)]), [1, 1 / 3, 1 / 3, 1 / 3]);
  near(divide(2, [claim(100, 0.1), claim(1, 0.3), claim(1, 2), claim(3, 2)]), [0.1, 0.3, 0.4, 1.2]);
});

test('a limit holds while others get more', () => {
  near(divide(2, [claim(1024, 0.2), claim(1024), claim(1024), claim(1024)]), [0.2, 0.6, 0.6, 0.6]);
});

test('a reserve comes first, and the rest is divided by weight', () => {
  near(divide(2, [claim(2, 1, 0.8), claim(1024), claim(1024), claim(1024)]), [0.8, 0.4, 0.4, 0.4]);
  near(divide(2, [claim(1024, 1, 0.25), claim(1024), claim(1024), claim(1024)]), [0.5, 0.5, 0.5, 0.5]);
});

test('a reserve is no more than what its owner can use', () => {
  near(divide(1, [claim(1, 0.1, 0.9), claim(1)]), [0.1, 0.9]);
});

test('reserves that do not fit shrink together', () => {
  near(divide(1, [claim(1, 2, 1.5), claim(1, 2, 0.5), claim(1024)]), [0.75, 0.25, 0]);
});

test('with room for all nobody gets more than it can use', () => {
  near(divide(8, [claim(1, 1), claim(1000, 2)]), [1, 2]);
  near(divide(2, []), []);
  near(divide(2, [claim(1024, 0)]), [0]);
});

test('weights far apart are kept apart', () => {
  near(divide(1, [claim(262144), claim(2)]), [262144 / 262146, 2 / 262146]);
});

test('at no time more turns overlap than there are cores', () => {
  const dues = [0.25, 0.5, 0.75, 0.5];
  const turns = dues.map((_, n) => turnOf(dues, n));
  for (let phase = 0.005; phase < 1; phase += 0.01) {
    const running = turns.filter(({ start, length }) => (phase - start + 1) % 1 < length);
    assert.equal(running.length, 2, `at ${phase}`);
  }
});

test('who gets a core or more always has its turn', () => {
  assert.equal(turnOf([0.5, 1.5], 1).length, 1);
});
