import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Profile } from './profile.ts';

test('times of neighbouring code count together, by what ran it, and the hottest come first', () => {
  const profile = new Profile();
  let described = 0;
  const describe = (): string => `text ${++described}`;
  profile.add(0x1000n, 'interpreted', 5e6, describe);
  for (const address of [0x2000n, 0x2010n, 0x203fn]) profile.add(address, 'translated', 2e6, describe);
  profile.add(0x2000n, 'interpreted', 1e6, describe);
  const [first, ...rest] = profile.hottest();
  assert.deepEqual(first, { address: '203f', tier: 'translated', milliseconds: 6, code: 'text 2' });
  assert.deepEqual(
    rest.map(({ address, milliseconds }) => [address, milliseconds]),
    [
      ['1000', 5],
      ['2000', 1],
    ],
  );
});

test('places are bounded, and so is what is reported', () => {
  const profile = new Profile();
  for (let n = 0; n < 70_000; n++) profile.add(BigInt(n) << 12n, 'translated', 1, () => '');
  assert.equal(profile.hottest().length, 20);
});
