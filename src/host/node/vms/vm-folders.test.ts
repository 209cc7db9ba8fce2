import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { useVmHome } from './testing/vm-home.ts';
import { providePrivateFolder, socketsFolder, vmSocketsFolder, vmsFolder } from './vm-folders.ts';

const home = useVmHome();

test('the folders are those of the XDG specification, which ignores relative ones', () => {
  assert.equal(vmsFolder({ XDG_STATE_HOME: '/s' }), '/s/corbel/vms');
  assert.equal(vmsFolder({ XDG_STATE_HOME: 's' }), join(homedir(), '.local/state/corbel/vms'));
  assert.equal(socketsFolder({ XDG_RUNTIME_DIR: '/r' }), '/r/corbel');
  for (const env of [{}, { XDG_RUNTIME_DIR: '' }, { XDG_RUNTIME_DIR: 'r' }]) {
    assert.equal(socketsFolder(env), `/tmp/corbel-${userInfo().uid}`);
  }
});

test('a private folder is made with its parents, for this user alone', () => {
  const folder = join(home, 'a', 'b');
  assert.ok(providePrivateFolder(folder).ok);
  assert.ok(providePrivateFolder(folder).ok, 'again');
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

test('what is open to others, a link or a file is refused', () => {
  const cases: [string, (path: string) => void, RegExp][] = [
    ['open', (path) => [mkdirSync(path), chmodSync(path, 0o755)], /is open to others; run chmod 700/],
    ['link', (path) => symlinkSync(home, path), /is no folder/],
    ['file', (path) => writeFileSync(path, ''), /cannot be made|is no folder/],
    ['dangling', (path) => symlinkSync(join(home, 'nowhere'), path), /cannot be made|is no folder/],
  ];
  for (const [name, make, message] of cases) {
    const path = join(home, name);
    make(path);
    const provided = providePrivateFolder(path);
    assert.ok(!provided.ok, name);
    assert.match(provided.error.message, message);
  }
});

test('a folder that is too long for its sockets is refused', () => {
  const before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = `/tmp/${'long/'.repeat(20)}`;
  const folder = vmSocketsFolder('web');
  process.env.XDG_RUNTIME_DIR = before;
  assert.ok(!folder.ok && /too long for sockets/.test(folder.error.message));
});
