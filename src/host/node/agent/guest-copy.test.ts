/** Copies with the agent that guests carry, run on this host, and archives that no honest guest sends. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { copyFromGuest, copyToGuest } from './guest-copy.ts';
import { encodeHeader, type TarMember } from './tar/tar-header.ts';
import { TarReader } from './tar/tar-reader.ts';
import { Unpacker } from './tar/unpack.ts';
import { noAgent, startAgent } from './testing/agent-process.ts';

const quiet = { progress: () => {}, skipped: () => {} };

function folder(context: TestContext): string {
  const path = fs.mkdtempSync(join(tmpdir(), 'corbel-copy-'));
  context.after(() => fs.rmSync(path, { recursive: true }));
  return path;
}

/** A folder with everything that can be copied. @returns its path */
function sample(top: string): string {
  const path = join(top, 'sample');
  const long = 'd'.repeat(120);
  fs.mkdirSync(join(path, long, 'inner'), { recursive: true });
  fs.writeFileSync(join(path, 'empty'), '');
  fs.writeFileSync(join(path, 'large'), randomBytes(700_001));
  fs.writeFileSync(join(path, long, 'inner', 'f'.repeat(200)), 'deep', { mode: 0o600 });
  fs.writeFileSync(join(path, 'run'), '#!/bin/sh\n', { mode: 0o750 });
  fs.writeFileSync(Buffer.from(`${path}/caf\xe9`, 'latin1'), 'not UTF-8');
  fs.symlinkSync('/etc/passwd', join(path, 'link'));
  fs.symlinkSync('t'.repeat(150), join(path, 'long link'));
  fs.utimesSync(join(path, 'run'), 1000, 2000);
  fs.chmodSync(path, 0o711);
  return path;
}

/** What rsync would compare: names, types, permissions, times, content. */
function listing(path: string): string {
  const script =
    'find . -printf "%P %y %m %l %s\\n" | sort; find . -type f -exec sha256sum {} + | sort; stat -c %Y run';
  const { stdout, status } = spawnSync('sh', ['-c', script], { cwd: path });
  assert.equal(status, 0);
  return stdout.toString('latin1').replace(/ d ([0-9]+) {2}[0-9]+/g, ' d $1');
}

test('a folder to the guest and back is the same', { skip: noAgent }, async (context) => {
  const top = folder(context);
  const original = sample(top);
  fs.mkdirSync(join(top, 'guest'));
  const into = { hostPath: original, guestPath: join(top, 'guest') };
  assert.deepEqual(await copyToGuest((await startAgent(context)).stream, into, quiet), { ok: true, value: undefined });
  assert.equal(listing(join(top, 'guest/sample')), listing(original));
  const named = { hostPath: original, guestPath: join(top, 'guest/other') };
  assert.ok((await copyToGuest((await startAgent(context)).stream, named, quiet)).ok);
  assert.equal(listing(join(top, 'guest/other')), listing(original));
  let bytes = 0;
  const back = { guestPath: join(top, 'guest/other'), hostPath: join(top, 'back') };
  const notices = { ...quiet, progress: (total: number) => (bytes = total) };
  assert.ok((await copyFromGuest((await startAgent(context)).stream, back, notices)).ok);
  assert.equal(listing(join(top, 'back')), listing(original));
  assert.ok(bytes > 700_000);
});

test('single files, links to files, and a name that is taken', { skip: noAgent }, async (context) => {
  const top = folder(context);
  fs.writeFileSync(join(top, 'file'), 'content', { mode: 0o640 });
  fs.symlinkSync('file', join(top, 'link'));
  const to = { hostPath: join(top, 'file'), guestPath: join(top, '-new') };
  assert.ok((await copyToGuest((await startAgent(context)).stream, to, quiet)).ok);
  assert.equal(fs.readFileSync(join(top, '-new'), 'utf8'), 'content');
  fs.symlinkSync('/etc/passwd', join(top, 'target'));
  const before = fs.readFileSync('/etc/passwd', 'utf8');
  for (const name of ['-new', 'link']) {
    const from = { guestPath: join(top, name), hostPath: join(top, 'target') };
    assert.ok((await copyFromGuest((await startAgent(context)).stream, from, quiet)).ok);
    assert.equal(fs.readFileSync(join(top, 'target'), 'utf8'), 'content');
    assert.ok(fs.lstatSync(join(top, 'target')).isFile(), 'a link that was there is replaced, not followed');
  }
  assert.equal(fs.readFileSync('/etc/passwd', 'utf8'), before);
});

test('what cannot be copied says why', { skip: noAgent }, async (context) => {
  const top = folder(context);
  fs.writeFileSync(join(top, 'file'), '');
  const connect = async () => (await startAgent(context)).stream;
  const failures = [
    await copyFromGuest(await connect(), { guestPath: join(top, 'none'), hostPath: join(top, 'x') }, quiet),
    await copyFromGuest(await connect(), { guestPath: `${join(top, 'file')}/`, hostPath: join(top, 'x') }, quiet),
    await copyToGuest(await connect(), { hostPath: join(top, 'file'), guestPath: join(top, 'no/where') }, quiet),
    await copyFromGuest(await connect(), { guestPath: join(top, 'file'), hostPath: join(top, 'no/where') }, quiet),
  ];
  const kinds = failures.map((failure) => (failure.ok ? 'fine' : failure.error.kind));
  assert.deepEqual(kinds, ['path', 'path', 'path', 'host']);
});

test('devices and pipes are left out and told of', { skip: noAgent }, async (context) => {
  const top = folder(context);
  fs.mkdirSync(join(top, 'from'));
  assert.equal(spawnSync('mkfifo', [join(top, 'from/pipe')]).status, 0);
  const skipped: string[] = [];
  const notices = { ...quiet, skipped: (what: string) => void skipped.push(what) };
  const to = { hostPath: join(top, 'from'), guestPath: join(top, 'to') };
  assert.ok((await copyToGuest((await startAgent(context)).stream, to, notices)).ok);
  const from = { guestPath: join(top, 'from'), hostPath: join(top, 'back') };
  assert.ok((await copyFromGuest((await startAgent(context)).stream, from, notices)).ok);
  assert.deepEqual([fs.readdirSync(join(top, 'to')), fs.readdirSync(join(top, 'back'))], [[], []]);
  assert.equal(skipped.length, 2);
});

const plain: TarMember = { name: '', type: '0', mode: 0o644, sizeBytes: 0, modifySeconds: 0, linkName: '' };

async function unpack(target: string, members: readonly (Partial<TarMember> | Uint8Array)[]): Promise<string> {
  const unpacker = new Unpacker(target, () => {});
  const reader = new TarReader(unpacker);
  const bytes = Buffer.concat(
    members.map((member) => (member instanceof Uint8Array ? member : encodeHeader({ ...plain, ...member }))),
  );
  for (let at = 0; at < bytes.length; at += 100) {
    const pushed = await reader.push(bytes.subarray(at, at + 100));
    if (pushed.ok) continue;
    await unpacker.finish();
    return `${pushed.error.kind}: ${pushed.error.message}`;
  }
  const finished = await unpacker.finish();
  return finished.ok ? 'ok' : finished.error.kind;
}

test('no member of an archive lies outside of the target', async (context) => {
  const top = folder(context);
  const target = join(top, 'target');
  fs.mkdirSync(join(top, 'outside'));
  for (const name of ['../outside/x', '/etc/corbel-was-here', 'a/../../outside/x', '..']) {
    assert.match(await unpack(target, [{ name }]), /^archive: a member is called/);
  }
  for (const linkName of ['../outside', join(top, 'outside')]) {
    const result = await unpack(target, [{ name: 'way', type: '2', linkName }, { name: 'way/x' }]);
    assert.match(result, /^archive: "way\/x" lies in what is no folder/);
    assert.match(await unpack(target, [{ name: 'hard', type: '1', linkName: 'way/x' }]), /^archive/);
    assert.match(await unpack(target, [{ name: 'hard', type: '1', linkName: '../outside/x' }]), /^archive/);
    assert.equal(await unpack(target, [{ name: 'way', type: '5', mode: 0o700 }, { name: 'way/x' }]), 'ok');
    fs.rmSync(join(target, 'way'), { recursive: true });
  }
  fs.symlinkSync('../outside', join(target, 'old'));
  assert.match(await unpack(target, [{ name: 'old/x' }]), /^archive/);
  assert.deepEqual(fs.readdirSync(join(top, 'outside')), []);
  assert.equal(await unpack(target, [{ name: 'tool', mode: 0o6755 }]), 'ok');
  assert.equal(fs.statSync(join(target, 'tool')).mode & 0o7777, 0o755);
});

test('archives that are damaged, cut short or nonsense are errors', async (context) => {
  const target = join(folder(context), 'target');
  const header = Buffer.from(encodeHeader({ ...plain, name: 'a' }));
  const damaged = Buffer.from(header);
  damaged[0] = 0x62;
  assert.equal(await unpack(target, [damaged]), 'archive: a header is damaged');
  assert.match(await unpack(target, [Buffer.alloc(512, 0xff)]), /^archive/);
  assert.match(await unpack(target, [{ type: 'L', name: 'x', sizeBytes: 2_000_000 }]), /a name is too long/);
  for (const records of ['x', '5 a=b\n', '999 path=x\n', '11 size=-1\n', '12 size=0x1\n', 'path=x\n']) {
    const content = Buffer.alloc(512);
    content.write(records);
    const members = [{ type: 'x', name: 'x', sizeBytes: records.length }, content, { name: 'b' }];
    assert.equal(await unpack(target, members), 'archive: an extended header is malformed', records);
  }
  const good = Buffer.alloc(512);
  good.write('12 path=abc\n11 mtime=3\n12 other=99\n');
  assert.equal(await unpack(target, [{ type: 'x', name: 'x', sizeBytes: 35 }, good, { name: 'b' }]), 'ok');
  assert.equal(fs.statSync(join(target, 'abc')).mtimeMs, 3000);
  const reader = new TarReader(new Unpacker(target, () => {}));
  assert.ok((await reader.push(header.subarray(0, 100))).ok);
  assert.equal(reader.atEnd, false);
});
