import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { virtioDeviceId } from '../../../spec/virtio/virtio.ts';
import { archiveModules, modulesFor } from './linux-modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-modules-'));
after(() => rmSync(folder, { recursive: true }));
const missing = ['dpkg-deb', 'xz'].find((tool) => spawnSync(tool, ['--version']).error !== undefined);
const skip = missing === undefined ? false : `${missing} is not installed`;

test('modules come in the order of loading, each once', () => {
  const { block, entropy } = virtioDeviceId;
  const modules = modulesFor([entropy, block, block]);
  assert.ok(modules.indexOf('virtio_ring') < modules.indexOf('virtio'));
  assert.ok(modules.indexOf('virtio_pci') < modules.indexOf('virtio_blk'));
  assert.equal(modules.filter((name) => name === 'virtio_blk').length, 1);
  assert.deepEqual(modulesFor([]), []);
});

test('what a package has of them comes out of it, however it is compressed', { skip }, async () => {
  const drivers = join(folder, 'tree', 'lib', 'modules', '1.0', 'kernel', 'drivers');
  mkdirSync(join(folder, 'tree', 'DEBIAN'), { recursive: true });
  mkdirSync(join(drivers, 'virtio'), { recursive: true });
  writeFileSync(
    join(folder, 'tree', 'DEBIAN', 'control'),
    'Package: modules\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: modules\n',
  );
  writeFileSync(join(drivers, 'virtio', 'virtio.ko'), 'plain module');
  writeFileSync(join(drivers, 'virtio_blk.ko.gz'), gzipSync('gzip module'));
  writeFileSync(join(drivers, 'virtio_net.ko.zst'), zstdCompressSync(Buffer.from('zstd module')));
  writeFileSync(join(drivers, 'virtio_console.ko.xz'), execFileSync('xz', ['-c'], { input: 'xz module' }));
  writeFileSync(join(drivers, 'other.ko'), 'other module');
  const packageFile = join(folder, 'modules.deb');
  execFileSync('dpkg-deb', ['--build', join(folder, 'tree'), packageFile], { stdio: 'pipe' });
  const archive = Buffer.from(await archiveModules([packageFile], folder)).toString('latin1');
  for (const [name, content] of [
    ['virtio', 'plain'],
    ['virtio_blk', 'gzip'],
    ['virtio_net', 'zstd'],
    ['virtio_console', 'xz'],
  ] as const)
    assert.match(archive, new RegExp(`lib/corbel/${name}\\.ko\\0+${content} module`), name);
  assert.doesNotMatch(archive, /other/);
});
