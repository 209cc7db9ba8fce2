/** The server over a real folder, as Linux's client uses it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NinepSession } from '../../../ninep/session.ts';
import { NinepClient } from '../../../ninep/testing/client.ts';
import { linuxErrno } from '../../../spec/linux-errno.ts';
import { ninepOpen } from '../../../spec/ninep.ts';
import { type Confinement, openSharedFolder } from './shared-folder.ts';

interface Share {
  readonly folder: string;
  readonly client: NinepClient;
}

interface Options {
  readonly readOnly?: boolean;
  readonly rootOwned?: boolean;
  readonly confinement?: Confinement;
}

async function share(context: TestContext, options: Options = {}): Promise<Share> {
  const top = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'corbel-share-')));
  const folder = join(top, 'shared');
  fs.mkdirSync(folder);
  fs.writeFileSync(join(top, 'secret'), 'secret');
  const tree = await openSharedFolder(folder, options.confinement);
  assert.ok(tree.ok);
  const { readOnly = false, rootOwned = false } = options;
  const session = new NinepSession(tree.value, { readOnly, rootOwned });
  const client = new NinepClient(session);
  await client.begin();
  context.after(async () => {
    await session.reset();
    fs.rmSync(top, { recursive: true, force: true });
  });
  return { folder, client };
}

const text = (data: Uint8Array): string => Buffer.from(data).toString();

for (const confinement of process.platform === 'linux' ? (['descriptors', 'paths'] as const) : (['paths'] as const)) {
  const each = (name: string, work: (share: Share, context: TestContext) => Promise<void>): void => {
    test(`${confinement}: ${name}`, async (context) => work(await share(context, { confinement }), context));
  };

  each('a file is created, written, read, and stays what it is under another name', async ({ folder, client }) => {
    await client.walk(1);
    await client.expect('lcreate', { fid: 1, name: 'new', flags: 0o102 | ninepOpen.exclusive, mode: 0o640, gid: 0 });
    const content = new Uint8Array(100_000).map((_, i) => i * 7);
    assert.deepEqual(await client.expect('write', { fid: 1, offset: 5n, data: content }), { count: 100_000 });
    await client.expect('fsync', { fid: 1, dataOnly: 0 });
    const onHost = fs.readFileSync(join(folder, 'new'));
    assert.equal(onHost.length, 100_005);
    assert.ok(onHost.subarray(5).equals(content));
    assert.equal(fs.statSync(join(folder, 'new')).mode & 0o7777, 0o640);
    await client.walk(2, 'new');
    await client.expect('renameat', { oldDirectoryFid: 0, oldName: 'new', newDirectoryFid: 0, newName: 'other' });
    const { data } = await client.expect('read', { fid: 1, offset: 99_995n, count: 4096 });
    assert.ok(Buffer.from(data).equals(onHost.subarray(99_995)));
    assert.equal((await client.expect('getattr', { fid: 2, mask: 0x7ffn })).sizeBytes, 100_005n);
    await client.expect('lopen', { fid: 2, flags: 0 });
    await client.expect('unlinkat', { directoryFid: 0, name: 'other', flags: 0 });
    assert.equal((await client.expect('getattr', { fid: 1, mask: 0x7ffn })).links, 0n);
    await client.expect('clunk', { fid: 1 });
    assert.equal(await client.error('clunk', { fid: 1 }), linuxErrno.EBADF);
  });

  each('a directory of 2,000 files is listed once each, over small replies too', async ({ folder, client }) => {
    for (let i = 0; i < 2000; i++) fs.writeFileSync(join(folder, `file ${i}`), '');
    await client.walk(1);
    await client.expect('lopen', { fid: 1, flags: ninepOpen.directory });
    for (const count of [65_536, 2000]) {
      const entries = await client.list(1, count);
      assert.deepEqual(
        entries.slice(0, 2).map(({ name }) => name),
        ['.', '..'],
      );
      const names = new Set(entries.map(({ name }) => name));
      assert.equal(entries.length, 2002);
      assert.equal(names.size, 2002);
    }
    const one = (await client.list(1)).find(({ name }) => name === 'file 7');
    assert.equal(one?.path, fs.statSync(join(folder, 'file 7'), { bigint: true }).ino);
    assert.equal(one?.type, 8);
    assert.equal(await client.error('readdir', { fid: 1, offset: 2n, count: 20 }), linuxErrno.EINVAL);
  });

  each('names that are not UTF-8 come through', async ({ folder, client }) => {
    const name = 'caf\xe9\xff';
    await client.walk(1);
    await client.expect('lcreate', { fid: 1, name, flags: 0o101, mode: 0o644, gid: 0 });
    const raw = fs.readdirSync(Buffer.from(folder), { encoding: 'buffer' });
    assert.deepEqual(raw, [Buffer.from(name, 'latin1')]);
    await client.walk(2);
    await client.expect('lopen', { fid: 2, flags: 0 });
    assert.equal((await client.list(2)).at(-1)?.name, name);
  });

  each('links, directories and their removal', async ({ folder, client }) => {
    fs.writeFileSync(join(folder, 'file'), 'content');
    await client.expect('mkdir', { directoryFid: 0, name: 'sub', mode: 0o40711, gid: 0 });
    assert.equal(fs.statSync(join(folder, 'sub')).mode & 0o7777, 0o711);
    assert.equal(await client.error('mkdir', { directoryFid: 0, name: 'sub', mode: 0o755, gid: 0 }), linuxErrno.EEXIST);
    await client.walk(1, 'sub');
    await client.walk(2, 'file');
    await client.expect('link', { directoryFid: 1, fid: 2, name: 'hard' });
    assert.equal(fs.statSync(join(folder, 'sub/hard')).nlink, 2);
    await client.expect('symlink', { directoryFid: 1, name: 'soft', target: '/etc/p\xe4sswd', gid: 0 });
    await client.walk(3, 'sub/soft');
    assert.deepEqual(await client.expect('readlink', { fid: 3 }), { target: '/etc/p\xe4sswd' });
    assert.equal(await client.error('readlink', { fid: 2 }), linuxErrno.EINVAL);
    assert.equal(await client.error('unlinkat', { directoryFid: 0, name: 'sub', flags: 0 }), linuxErrno.EISDIR);
    assert.equal(await client.error('unlinkat', { directoryFid: 0, name: 'sub', flags: 0x200 }), linuxErrno.ENOTEMPTY);
    await client.expect('remove', { fid: 3 });
    assert.equal(await client.error('clunk', { fid: 3 }), linuxErrno.EBADF);
    await client.expect('rename', { fid: 2, directoryFid: 1, name: 'moved' });
    await client.expect('unlinkat', { directoryFid: 1, name: 'hard', flags: 0 });
    assert.deepEqual(fs.readdirSync(join(folder, 'sub')), ['moved']);
    assert.equal((await client.expect('getattr', { fid: 2, mask: 0x7ffn })).sizeBytes, 7n);
    await client.expect('unlinkat', { directoryFid: 1, name: 'moved', flags: 0 });
    await client.expect('unlinkat', { directoryFid: 0, name: 'sub', flags: 0x200 });
    assert.deepEqual(fs.readdirSync(folder), []);
  });

  each('attributes change, set-user-ID does not', async ({ folder, client }) => {
    const path = join(folder, 'file');
    fs.writeFileSync(path, 'content');
    await client.walk(1, 'file');
    const none = { fid: 1, mode: 0, uid: 0, gid: 0, sizeBytes: 0n };
    const times = {
      accessSeconds: 1000n,
      accessNanoseconds: 5n,
      modifySeconds: 2n ** 64n - 86_400n,
      modifyNanoseconds: 0n,
    };
    await client.expect('setattr', { ...none, ...times, valid: 0x1, mode: 0o106754 });
    assert.equal(fs.statSync(path).mode & 0o7777, 0o754);
    await client.expect('setattr', { ...none, ...times, valid: 0x8, sizeBytes: 3n });
    assert.equal(fs.readFileSync(path, 'utf8'), 'con');
    const before = fs.statSync(path).mtimeMs;
    await client.expect('setattr', { ...none, ...times, valid: 0x90 });
    assert.equal(fs.statSync(path, { bigint: true }).atimeMs, 1_000_000n);
    assert.ok(Math.abs(fs.statSync(path).mtimeMs - before) < 1, 'the other time stays');
    await client.expect('setattr', { ...none, ...times, valid: 0x120 });
    assert.equal(fs.statSync(path).mtimeMs, -86_400_000);
    const reply = await client.expect('getattr', { fid: 1, mask: 0x7ffn });
    assert.deepEqual([reply.modifySeconds, reply.modifyNanoseconds], [2n ** 64n - 86_400n, 0n]);
    assert.equal(reply.uid, process.getuid?.());
    assert.equal(reply.mode, 0o100754);
    await client.expect('setattr', { ...none, ...times, valid: 0x20 });
    assert.ok(Date.now() - fs.statSync(path).mtimeMs < 60_000, 'without a time it is now');
    const before2 = { ...none, ...times, valid: 0x8, sizeBytes: 2n ** 60n };
    assert.equal(await client.error('setattr', before2), linuxErrno.EFBIG);
  });

  each('a file opened for writing can be resized whatever its permissions', async ({ folder, client }) => {
    await client.walk(1);
    await client.expect('lcreate', { fid: 1, name: 'file', flags: 0o102, mode: 0o444, gid: 0 });
    await client.expect('write', { fid: 1, offset: 0n, data: Buffer.from('content') });
    const times = { accessSeconds: 0n, accessNanoseconds: 0n, modifySeconds: 0n, modifyNanoseconds: 0n };
    await client.expect('setattr', { fid: 1, valid: 0x8, mode: 0, uid: 0, gid: 0, sizeBytes: 1n, ...times });
    assert.equal(fs.readFileSync(join(folder, 'file'), 'utf8'), 'c');
  });

  each('no name leads out of the folder', async ({ folder, client }) => {
    fs.mkdirSync(join(folder, 'sub'));
    fs.writeFileSync(join(folder, 'file'), '');
    fs.symlinkSync('..', join(folder, 'up'));
    fs.symlinkSync('/', join(folder, 'top'));
    for (const name of ['sub/file', '/', '../secret', '', '.', 'a\0b']) {
      assert.equal(await client.error('walk', { fid: 0, newFid: 1, names: [name] }), linuxErrno.EINVAL, name);
      assert.equal(
        await client.error('mkdir', { directoryFid: 0, name, mode: 0o755, gid: 0 }),
        linuxErrno.EINVAL,
        name,
      );
    }
    assert.equal(await client.error('walk', { fid: 0, newFid: 1, names: ['x'.repeat(256)] }), linuxErrno.ENAMETOOLONG);
    const root = (await client.expect('getattr', { fid: 0, mask: 0x7ffn })).qid;
    const { qids } = await client.expect('walk', { fid: 0, newFid: 1, names: ['sub', '..', '..', '..'] });
    assert.deepEqual(qids.slice(1), [root, root, root]);
    assert.equal((await client.expect('walk', { fid: 0, newFid: 2, names: ['up', 'secret'] })).qids.length, 1);
    assert.equal((await client.expect('walk', { fid: 0, newFid: 2, names: ['top', 'etc'] })).qids.length, 1);
    assert.equal((await client.expect('walk', { fid: 0, newFid: 2, names: ['file', 'x'] })).qids.length, 1);
    await client.walk(3, 'top');
    assert.equal(await client.error('lopen', { fid: 3, flags: ninepOpen.directory }), linuxErrno.ENOTDIR);
    assert.equal(await client.error('lopen', { fid: 3, flags: 0 }), linuxErrno.ELOOP);
    assert.equal(await client.error('walk', { fid: 3, newFid: 4, names: ['etc'] }), linuxErrno.ENOTDIR);
    assert.equal(await client.error('mkdir', { directoryFid: 3, name: 'x', mode: 0, gid: 0 }), linuxErrno.ENOTDIR);
    await client.walk(5);
    const create = { fid: 5, name: 'top', flags: 0o101, mode: 0o644, gid: 0 };
    assert.equal(await client.error('lcreate', create), linuxErrno.ELOOP);
    const times = { accessSeconds: 0n, accessNanoseconds: 0n, modifySeconds: 0n, modifyNanoseconds: 0n };
    const mode = { fid: 3, valid: 0x1, mode: 0o777, uid: 0, gid: 0, sizeBytes: 0n, ...times };
    assert.equal(await client.error('setattr', mode), linuxErrno.EOPNOTSUPP);
    const before = fs.statSync('/').mtimeMs;
    await client.expect('setattr', { ...mode, valid: 0x1b0 });
    assert.equal(fs.statSync('/').mtimeMs, before);
    assert.equal(fs.lstatSync(join(folder, 'top')).mtimeMs, 0, 'the link itself changed');
  });

  each('what the host puts in place of a directory is not followed', async ({ folder, client }) => {
    fs.mkdirSync(join(folder, 'sub'));
    fs.writeFileSync(join(folder, 'sub/secret'), 'harmless');
    await client.walk(1, 'sub');
    await client.walk(2, 'sub');
    await client.expect('lopen', { fid: 2, flags: 0 });
    fs.renameSync(join(folder, 'sub'), join(folder, 'elsewhere'));
    fs.symlinkSync('..', join(folder, 'sub'));
    const walked = await client.call('walk', { fid: 1, newFid: 3, names: ['secret'] });
    if (confinement === 'paths') {
      assert.deepEqual(walked, { ok: false, error: linuxErrno.ESTALE });
      return;
    }
    await client.expect('lopen', { fid: 3, flags: 0 });
    assert.equal(text((await client.expect('read', { fid: 3, offset: 0n, count: 100 })).data), 'harmless');
    await client.expect('mkdir', { directoryFid: 1, name: 'made', mode: 0o755, gid: 0 });
    assert.deepEqual(fs.readdirSync(join(folder, 'elsewhere')).sort(), ['made', 'secret']);
    assert.deepEqual((await client.list(2)).map(({ name }) => name).sort(), ['.', '..', 'made', 'secret']);
  });

  each('devices, pipes and sockets are neither made nor opened', async ({ folder, client }) => {
    for (const mode of [0o20644, 0o60644, 0o10644, 0o140644]) {
      const request = { directoryFid: 0, name: 'node', mode, major: 1, minor: 3, gid: 0 };
      assert.equal(await client.error('mknod', request), linuxErrno.EPERM);
    }
    await client.expect('mknod', { directoryFid: 0, name: 'plain', mode: 0o100600, major: 0, minor: 0, gid: 0 });
    assert.ok(fs.statSync(join(folder, 'plain')).isFile());
    const { spawnSync } = await import('node:child_process');
    assert.equal(spawnSync('mkfifo', [join(folder, 'pipe')]).status, 0);
    await client.walk(1, 'pipe');
    assert.equal(await client.error('lopen', { fid: 1, flags: 0 }), linuxErrno.ENXIO);
    await client.walk(2);
    const create = { fid: 2, name: 'pipe', flags: 0o101, mode: 0o644, gid: 0 };
    assert.equal(await client.error('lcreate', create), linuxErrno.ENXIO);
  });
}

test('a folder shared read-only is read and not changed', async (context) => {
  const { folder, client } = await share(context, { readOnly: true });
  fs.writeFileSync(join(folder, 'file'), 'content');
  await client.walk(1, 'file');
  const { EROFS } = linuxErrno;
  for (const flags of [1, 2, ninepOpen.truncate]) assert.equal(await client.error('lopen', { fid: 1, flags }), EROFS);
  await client.expect('lopen', { fid: 1, flags: 0 });
  assert.equal(text((await client.expect('read', { fid: 1, offset: 0n, count: 100 })).data), 'content');
  const times = { accessSeconds: 0n, accessNanoseconds: 0n, modifySeconds: 0n, modifyNanoseconds: 0n };
  assert.deepEqual(
    [
      await client.error('lcreate', { fid: 0, name: 'new', flags: 0o101, mode: 0o644, gid: 0 }),
      await client.error('mkdir', { directoryFid: 0, name: 'new', mode: 0o755, gid: 0 }),
      await client.error('symlink', { directoryFid: 0, name: 'new', target: 'file', gid: 0 }),
      await client.error('mknod', { directoryFid: 0, name: 'new', mode: 0, major: 0, minor: 0, gid: 0 }),
      await client.error('link', { directoryFid: 0, fid: 1, name: 'new' }),
      await client.error('rename', { fid: 1, directoryFid: 0, name: 'new' }),
      await client.error('renameat', { oldDirectoryFid: 0, oldName: 'file', newDirectoryFid: 0, newName: 'new' }),
      await client.error('unlinkat', { directoryFid: 0, name: 'file', flags: 0 }),
      await client.error('setattr', { fid: 1, valid: 0x8, mode: 0, uid: 0, gid: 0, sizeBytes: 0n, ...times }),
      await client.error('write', { fid: 1, offset: 0n, data: Buffer.from('x') }),
      await client.error('xattrcreate', { fid: 1, name: 'user.x', sizeBytes: 1n, flags: 0 }),
      await client.error('remove', { fid: 1 }),
    ],
    Array(12).fill(EROFS),
  );
  assert.deepEqual(fs.readdirSync(folder), ['file']);
});

test('everything can be shown as owned by root', async (context) => {
  const { folder, client } = await share(context, { rootOwned: true });
  fs.writeFileSync(join(folder, 'file'), '');
  if (process.getuid?.() === 0) fs.chownSync(join(folder, 'file'), 7, 7);
  await client.walk(1, 'file');
  const times = { accessSeconds: 0n, accessNanoseconds: 0n, modifySeconds: 0n, modifyNanoseconds: 0n };
  const owner = fs.statSync(join(folder, 'file')).uid;
  await client.expect('setattr', { fid: 1, valid: 0x6, mode: 0, uid: 12, gid: 12, sizeBytes: 0n, ...times });
  const { uid, gid } = await client.expect('getattr', { fid: 1, mask: 0x7ffn });
  assert.deepEqual([uid, gid, fs.statSync(join(folder, 'file')).uid], [0, 0, owner]);
});

test('extended attributes: an empty list, none by name', async (context) => {
  const { client } = await share(context);
  assert.deepEqual(await client.expect('xattrwalk', { fid: 0, newFid: 1, name: '' }), { sizeBytes: 0n });
  assert.equal((await client.expect('read', { fid: 1, offset: 0n, count: 100 })).data.length, 0);
  await client.expect('clunk', { fid: 1 });
  assert.equal(await client.error('xattrwalk', { fid: 0, newFid: 1, name: 'user.x' }), linuxErrno.EOPNOTSUPP);
  assert.equal(
    await client.error('xattrcreate', { fid: 0, name: 'user.x', sizeBytes: 1n, flags: 0 }),
    linuxErrno.EOPNOTSUPP,
  );
});

test('statfs tells the room of the host; locks are granted', async (context) => {
  const { folder, client } = await share(context);
  const { blocks, blockBytes, type } = await client.expect('statfs', { fid: 0 });
  assert.equal(blocks, fs.statfsSync(folder, { bigint: true }).blocks);
  assert.ok(blockBytes >= 512);
  assert.equal(type, 0x01021997);
  await client.walk(1);
  await client.expect('lcreate', { fid: 1, name: 'file', flags: 0o102, mode: 0o644, gid: 0 });
  const range = { fid: 1, type: 1, start: 0n, length: 0n, processId: 7, clientId: 'guest' };
  assert.deepEqual(await client.expect('lock', { ...range, flags: 1 }), { status: 0 });
  assert.equal((await client.expect('getlock', range)).type, 2);
});

test('a folder that is not there, or is a file', async () => {
  const missing = await openSharedFolder('/nonexistent');
  assert.ok(!missing.ok && /nonexistent/.test(missing.error.message));
  const file = await openSharedFolder(import.meta.filename);
  assert.ok(!file.ok && /not a folder/.test(file.error.message));
});

test('more files are known than descriptors there may be', { skip: process.platform !== 'linux' }, async (context) => {
  const { folder, client } = await share(context);
  const count = 4500;
  fs.mkdirSync(join(folder, 'a/b/c'), { recursive: true });
  for (let i = 0; i < count; i++) fs.writeFileSync(join(folder, `a/b/c/${i}`), `${i}`);
  for (let i = 0; i < count; i++) await client.walk(i + 1, `a/b/c/${i}`);
  const open = fs.readdirSync('/proc/self/fd').length;
  assert.ok(open < 4300, `${open} descriptors are open`);
  for (const i of [0, 1, 17, count - 1]) {
    await client.expect('lopen', { fid: i + 1, flags: 0 });
    assert.equal(text((await client.expect('read', { fid: i + 1, offset: 0n, count: 9 })).data), `${i}`);
  }
  fs.renameSync(join(folder, 'a/b/c/3'), join(folder, 'a/b/c/2'));
  const replaced = await client.call('getattr', { fid: 3, mask: 0n });
  assert.deepEqual(replaced, { ok: false, error: linuxErrno.ESTALE });
  await client.expect('rename', { fid: 1, directoryFid: 0, name: 'first' });
  await client.expect('renameat', { oldDirectoryFid: 0, oldName: 'a', newDirectoryFid: 0, newName: 'z' });
  assert.equal((await client.expect('getattr', { fid: 5, mask: 0n })).sizeBytes, 1n);
});

test('a host that moves directories in circles', { skip: process.platform !== 'linux' }, async (context) => {
  const { folder, client } = await share(context);
  fs.mkdirSync(join(folder, 'x/y'), { recursive: true });
  await client.walk(1, 'x');
  await client.walk(2, 'x/y');
  fs.renameSync(join(folder, 'x/y'), join(folder, 'y'));
  await client.expect('renameat', { oldDirectoryFid: 0, oldName: 'x', newDirectoryFid: 2, newName: 'x' });
  assert.ok(fs.statSync(join(folder, 'y/x')).isDirectory());
  await client.expect('getattr', { fid: 1, mask: 0n });
  await client.expect('walk', { fid: 2, newFid: 3, names: ['x', '..', '..', '..', '..'] });
});

test('a directory that is swapped for a link all the time never leads out', {
  skip: process.platform !== 'linux',
}, async (context) => {
  const { folder, client } = await share(context);
  fs.mkdirSync(join(folder, 'real'));
  fs.writeFileSync(join(folder, 'real/secret'), 'harmless');
  fs.symlinkSync('..', join(folder, 'link'));
  fs.renameSync(join(folder, 'real'), join(folder, 'name'));
  const swap = (there: string, away: string): void => {
    fs.renameSync(join(folder, 'name'), join(folder, there));
    fs.renameSync(join(folder, away), join(folder, 'name'));
  };
  let harmless = 0;
  for (let i = 0; i < 300; i++) {
    const walking = client.call('walk', { fid: 0, newFid: 1, names: ['name', 'secret'] });
    for (let turn = 0; turn < 2; turn++) {
      swap('real', 'link');
      if (turn === 1) await new Promise((resolve) => setImmediate(resolve));
      swap('link', 'real');
    }
    const walked = await walking;
    if (!walked.ok || walked.value.qids.length < 2) continue;
    await client.expect('lopen', { fid: 1, flags: 0 });
    assert.equal(text((await client.expect('read', { fid: 1, offset: 0n, count: 99 })).data), 'harmless');
    await client.expect('clunk', { fid: 1 });
    harmless++;
  }
  assert.ok(harmless > 0);
});
