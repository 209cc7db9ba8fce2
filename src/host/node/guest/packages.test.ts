import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cacheFolder } from '../cache-folder.ts';
import { parsePackageRecord } from './apt.ts';
import { FileCache } from './cache.ts';
import { runCommand } from './command.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-packages-'));
after(() => rmSync(folder, { recursive: true }));

test('a package record is read from the first paragraph', () => {
  const checksum = 'a'.repeat(64);
  const shown = `Package: linux-image-cloud-amd64
Version: 6.1.1-1
Depends: linux-image-6.1.0-1-cloud-amd64 (= 6.1.1-1)
Description: several
 lines: of text
SHA256: ${checksum}

Package: other
Version: 2
`;
  assert.deepEqual(parsePackageRecord(shown), {
    name: 'linux-image-cloud-amd64',
    version: '6.1.1-1',
    sha256: checksum,
    depends: 'linux-image-6.1.0-1-cloud-amd64 (= 6.1.1-1)',
  });
});

test('a record that could not be verified is none', () => {
  assert.equal(parsePackageRecord(''), undefined);
  assert.equal(parsePackageRecord('Package: a\nVersion: 1\n'), undefined);
  assert.equal(parsePackageRecord('Package: a\nVersion: 1\nSHA256: abc\n'), undefined);
});

test('the cache gives back what it was given, and nothing that is damaged or missing', async () => {
  const cache = new FileCache(join(folder, 'cache', 'linux'));
  assert.equal(await cache.load(['a']), undefined);
  await cache.store([
    { name: 'a', bytes: Buffer.from('one') },
    { name: 'b', bytes: Buffer.from('two') },
  ]);
  const loaded = await cache.load(['a', 'b']);
  assert.deepEqual(
    loaded?.map((bytes) => Buffer.from(bytes).toString()),
    ['one', 'two'],
  );
  assert.deepEqual(readdirSync(cache.folder).sort(), ['a', 'b', 'manifest.json']);
  assert.equal(await cache.load(['a', 'c']), undefined);
  const b = join(cache.folder, 'b');
  utimesSync(b, 1, 1);
  assert.equal((await cache.load(['a', 'b']))?.length, 2, 'another time alone is no damage');
  for (const [n, damaged] of ['twp', 'tw', ''].entries()) {
    writeFileSync(b, damaged);
    utimesSync(b, n + 2, n + 2);
    assert.equal(await cache.load(['a', 'b']), undefined);
  }
  utimesSync(join(cache.folder, 'a'), 9, 9);
  assert.equal((await cache.load(['a']))?.length, 1);
  assert.equal(await cache.load(['a', 'b']), undefined, 'what was not looked at is not taken for whole');
  writeFileSync(join(cache.folder, 'manifest.json'), 'not JSON');
  assert.equal(await cache.load(['a']), undefined);
});

test('the cache is where XDG says', () => {
  assert.equal(cacheFolder({ XDG_CACHE_HOME: '/x/y' }), '/x/y/corbel');
  assert.match(cacheFolder({ XDG_CACHE_HOME: 'relative' }), /\/\.cache\/corbel$/);
  assert.match(cacheFolder({}), /\/\.cache\/corbel$/);
});

test('a program of the host: its output, its errors, its absence', async () => {
  const good = await runCommand(['cat'], folder, ['printf', 'a\\0b']);
  assert.deepEqual([good.ok, Buffer.from(good.stdout).toString()], [true, 'a\0b']);
  const bad = await runCommand(['sh', '-c', 'echo why >&2; exit 3'], folder);
  assert.deepEqual([bad.ok, bad.message], [false, 'why']);
  const silent = await runCommand(['false'], folder);
  assert.deepEqual([silent.ok, silent.message], [false, 'false ended with status 1']);
  assert.match((await runCommand(['no-such-program'], folder)).message, /ENOENT/);
  assert.match((await runCommand(['cat'], folder, ['no-such-program'])).message, /ENOENT/);
});
