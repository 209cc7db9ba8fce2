import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProcessorShare } from './processor-share-options.ts';

const hostCores = 4;

function share(values: Readonly<Record<string, string>>) {
  const parsed = parseProcessorShare((option) => values[option], hostCores);
  assert.ok(parsed.ok, JSON.stringify(values));
  return parsed.value;
}

function refused(values: Readonly<Record<string, string>>): string {
  const parsed = parseProcessorShare((option) => values[option], hostCores);
  assert.ok(!parsed.ok, JSON.stringify(values));
  assert.equal(parsed.error.kind, 'usage');
  return parsed.error.message;
}

test('without options nothing is limited or reserved', () => {
  assert.deepEqual(share({}), { shares: undefined, limit: undefined, reserve: 0 });
});

test('a limit is given in hundredths of a core or in cores', () => {
  for (const [text, cores] of [
    ['50%', 0.5],
    ['150%', 1.5],
    ['1.5', 1.5],
    ['2', 2],
    ['12.5%', 0.125],
    ['0.01', 0.01],
    ['1%', 0.01],
    ['800%', 8],
  ] as const) {
    assert.equal(share({ 'cpu-limit': text }).limit, cores, text);
    if (cores <= hostCores) assert.equal(share({ 'cpu-reserve': text }).reserve, cores, text);
  }
});

test('a limit that is none is refused with what would do', () => {
  for (const text of ['', '0', '0%', '0.5%', '-1', '50 %', '%', '1,5', 'half', '1e1', '0x1', 'Infinity', '999999999']) {
    assert.match(
      refused({ 'cpu-limit': text }),
      /^--cpu-limit takes cores from 0\.01 on, like 0\.5 or 1\.5, or 50%/,
      text,
    );
    assert.match(refused({ 'cpu-reserve': text }), /^--cpu-reserve takes cores from 0\.01 on/, text);
  }
});

test('who leaves out the percent sign is asked about it', () => {
  assert.match(refused({ 'cpu-limit': '50' }), /not "50"; did you mean 50%\?$/);
  assert.equal(share({ 'cpu-limit': '6' }).limit, 6);
});

test('shares are a number between the bounds of cgroups', () => {
  assert.equal(share({ 'cpu-shares': '2' }).shares, 2);
  assert.equal(share({ 'cpu-shares': '262144' }).shares, 262144);
  for (const text of ['', '0', '1', '262145', '-5', '1.5', '50%', 'many']) {
    assert.match(refused({ 'cpu-shares': text }), /^--cpu-shares takes a number from 2 to 262144, not/, text);
  }
});

test('a reserve above the limit or above what the host has is refused', () => {
  assert.match(
    refused({ 'cpu-limit': '50%', 'cpu-reserve': '0.75' }),
    /--cpu-reserve 0\.75 is more than --cpu-limit 50%/,
  );
  assert.match(refused({ 'cpu-reserve': '450%' }), /more than this host has: 4 cores/);
});
