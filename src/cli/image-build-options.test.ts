import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseImageBuildOptions } from './image-build-options.ts';
import { corbel } from './testing/corbel-process.ts';

function parsed(...args: string[]) {
  const options = parseImageBuildOptions(args);
  assert.ok(options.ok, options.ok ? '' : options.error.message);
  assert.ok(options.value !== 'help');
  return options.value;
}

function refused(...args: string[]): string {
  const options = parseImageBuildOptions(args);
  assert.ok(!options.ok, JSON.stringify(options));
  assert.equal(options.error.kind, 'usage');
  return options.error.message;
}

test('what is not given has the defaults', () => {
  assert.deepEqual(parsed('debian'), {
    output: 'debian.qcow2',
    sizeBytes: 8 * 2 ** 30,
    suite: 'bookworm',
    mirror: undefined,
    packages: [],
    hostname: 'debian',
    password: undefined,
    sshKey: undefined,
    json: false,
  });
});

test('what is given is taken', () => {
  const more = [
    '--package',
    'nginx',
    '--package',
    'g++',
    '--hostname',
    'web-1.example.org',
    '--mirror',
    'file:/srv/deb',
  ];
  const options = parsed('debian', '--size', '20G', '--suite', 'trixie', '--password', 'a b:c', '--json', ...more);
  assert.deepEqual([options.sizeBytes, options.suite, options.password], [20 * 2 ** 30, 'trixie', 'a b:c']);
  assert.deepEqual(options.packages, ['nginx', 'g++']);
  assert.deepEqual([options.hostname, options.mirror, options.json], ['web-1.example.org', 'file:/srv/deb', true]);
});

test('what cannot be is refused, with what can be', () => {
  assert.match(refused(), /corbel image build debian/);
  assert.match(refused('fedora'), /only corbel image build debian/);
  assert.match(refused('debian', 'debian'), /only corbel image build debian/);
  assert.match(refused('debian', '--size', '1G'), /from 2G to 2T/);
  assert.match(refused('debian', '--size', '3T'), /from 2G to 2T/);
  assert.match(refused('debian', '--size', '2097153K'), /multiple of 1M/);
  assert.match(refused('debian', '--size', 'big'), /--size takes/);
  assert.match(refused('debian', '--suite', 'sid'), /bookworm or trixie/);
  assert.match(refused('debian', '--suite', 'constructor'), /bookworm or trixie/);
  for (const mirror of ['debian', 'ftp://x/', 'http://a b/', 'http://x/ [trusted=yes]', 'http://x/\ndeb http://y/']) {
    assert.match(refused('debian', '--mirror', mirror), /--mirror takes/);
  }
  for (const name of ['-y', 'a', 'Nginx', 'nginx=1', '?essential', 'x y']) {
    assert.match(refused('debian', `--package=${name}`), /no package/);
  }
  for (const name of ['', '-a', 'a-', 'a..b', 'a_b', 'x'.repeat(65), 'a\nb']) {
    assert.match(refused('debian', `--hostname=${name}`), /--hostname takes/);
  }
  for (const password of ['', 'a\nroot:b', 'x'.repeat(513)]) {
    assert.match(refused('debian', `--password=${password}`), /--password takes/);
  }
  assert.match(refused('debian', '--disk', 'x'), /there is no option --disk/);
});

const folder = mkdtempSync(join(tmpdir(), 'corbel-image-'));
after(() => rmSync(folder, { recursive: true }));

test('a file that holds no public key is refused before anything is built', async () => {
  const file = (text: string): string => {
    const path = join(folder, 'key');
    writeFileSync(path, text);
    return path;
  };
  const attempt = async (path: string): Promise<string> => {
    const ended = await corbel(['image', 'build', 'debian', '--output', join(folder, 'x.qcow2'), '--ssh-key', path]);
    assert.deepEqual([ended.status, ended.stdout.length], [65, 0]);
    return ended.stderr;
  };
  assert.match(await attempt(join(folder, 'none')), /^corbel: the SSH key .* cannot be read \(ENOENT/);
  assert.match(await attempt(file('')), /no file of public SSH keys: it holds none/);
  assert.match(await attempt(file('-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n')), /it is a private key/);
  assert.match(await attempt(file('ssh-ed25519 AAAAC3Nz ada\nrubbish\n')), /it holds none/);
});
