/** Shared folders with Linux's own 9P client: what the guest does in them, and what it cannot do. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startLinux } from './linux-process.ts';

const options = { timeout: 900_000 };
const mount = 'mkdir -p /mnt && mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000';

/** A folder, next to it something that nobody shares. */
function sharedFolder(context: TestContext): string {
  const top = fs.mkdtempSync(join(tmpdir(), 'corbel-shared-'));
  context.after(() => fs.rmSync(top, { recursive: true }));
  fs.writeFileSync(join(top, 'secret'), 'secret');
  const folder = join(top, 'shared');
  fs.mkdirSync(folder);
  return folder;
}

/** Runs a script in the guest that has mounted `share`. @returns what it printed */
async function inGuest(share: string, script: string): Promise<string> {
  const ended = await startLinux([
    '--timeout',
    '800',
    '--share',
    share,
    '--exec',
    `${mount} here /mnt && cd /mnt && { ${script}\n}`,
  ]).ended;
  assert.equal(ended.status, 0, ended.stderr);
  return ended.stdout.toString();
}

const sum = (content: Uint8Array): string => createHash('md5').update(content).digest('hex');

test('files of a guest are files of the host, and the other way round', options, async (context) => {
  const folder = sharedFolder(context);
  const large = randomBytes(6_000_000);
  fs.writeFileSync(join(folder, 'large'), large);
  const printed = await inGuest(
    `${folder}:here`,
    `set -e
    md5sum <large
    cat large large >twice; md5sum <twice
    mkdir -p a/b; echo one >a/b/one; echo more >>a/b/one; cat a/b/one
    mv a/b/one a/two; ln a/two a/hard; ln -s ../large a/soft; stat -c '%h %F' a/two; readlink a/soft; md5sum <a/soft
    chmod 640 a/two; stat -c %a a/two; truncate -s 3 a/two; cat a/hard; echo
    touch -d '2001-02-03 04:05:06' a/two; stat -c %Y a/two
    rm a/hard; rmdir a/b; ls a
    exec 3>open; rm open; echo unlinked >&3; exec 3>&-
    i=0; mkdir many; while [ $i -lt 2000 ]; do : >many/$i; i=$((i+1)); done; ls many | wc -l; find many -type f | wc -l
    rm -r many; ls -a | sort | tr '\\n' ' '`,
  );
  const twice = Buffer.concat([large, large]);
  assert.deepEqual(printed.split('\n'), [
    `${sum(large)}  -`,
    `${sum(twice)}  -`,
    ...[
      'one',
      'more',
      '2 regular file',
      '../large',
      `${sum(large)}  -`,
      '640',
      'one',
      String(Date.UTC(2001, 1, 3, 4, 5, 6) / 1000),
    ],
    ...['soft', 'two', '2000', '2000', '. .. a large twice '],
  ]);
  assert.equal(sum(fs.readFileSync(join(folder, 'twice'))), sum(twice));
  assert.equal(fs.readFileSync(join(folder, 'a/two'), 'utf8'), 'one');
  assert.equal(fs.statSync(join(folder, 'a/two')).mode & 0o777, 0o640);
  assert.equal(fs.readlinkSync(join(folder, 'a/soft')), '../large');
  assert.deepEqual(fs.readdirSync(folder).sort(), ['a', 'large', 'twice']);
});

test('a folder shared read-only refuses', options, async (context) => {
  const folder = sharedFolder(context);
  fs.writeFileSync(join(folder, 'file'), 'content');
  const printed = await inGuest(
    `${folder}:here,ro`,
    `cat file; echo; for command in 'echo x >file' 'echo x >new' 'rm file' 'mkdir new' 'mv file new' 'chmod 0 file' \\
      'ln file new' 'ln -s file new' 'touch file'; do sh -c "$command" 2>&1 | grep -c 'Read-only file system'; done`,
  );
  assert.equal(printed, `content\n${'1\n'.repeat(9)}`);
  assert.deepEqual(fs.readdirSync(folder), ['file']);
});

test('a guest that looks for a way out finds its own files', options, async (context) => {
  const folder = sharedFolder(context);
  const secret = join(folder, '../secret');
  fs.symlinkSync('../secret', join(folder, 'up'));
  fs.symlinkSync('/', join(folder, 'top'));
  fs.symlinkSync(secret, join(folder, 'absolute'));
  const printed = await inGuest(
    `${folder}:here`,
    `cat ../secret up absolute 2>&1 | grep -c 'No such file'; ls top/corbel | grep -c session
    mknod device c 1 3 2>&1 | grep -c 'not permitted'; mkfifo pipe 2>&1 | grep -c 'not permitted'
    echo x >tool; chmod 6755 tool; stat -c %a tool
    rm up && ln -s ../made up && echo through >up && ls /made && cat /made
    while :; do rm -rf flip; mkdir flip; echo mine >flip/secret; rm -rf flip; ln -s .. flip; done & flipper=$!
    i=0; while [ $i -lt 100 ]; do cat flip/secret 2>/dev/null; echo x 2>/dev/null >flip/escaped; i=$((i+1)); done \\
      | sort -u | grep -v mine; kill $flipper; wait; true`,
  );
  assert.equal(printed, '3\n1\n1\n1\n755\n/made\nthrough\n');
  assert.deepEqual(fs.readdirSync(join(folder, '..')).sort(), ['secret', 'shared']);
  assert.equal(fs.readFileSync(secret, 'utf8'), 'secret');
});

test('two folders, one of them owned by root', options, async (context) => {
  const [one, two] = [sharedFolder(context), sharedFolder(context)];
  fs.writeFileSync(join(one, 'file'), '');
  fs.writeFileSync(join(two, 'file'), '');
  if (process.getuid?.() === 0) for (const folder of [one, two]) fs.chownSync(join(folder, 'file'), 42, 43);
  const { uid, gid } = fs.statSync(join(one, 'file'));
  const shares = ['--share', `${one}:one`, '--share', `${two}:two,owner=root`];
  const script = `${mount} one /mnt; stat -c '%u %g' /mnt/file; umount /mnt; mount -t 9p -o trans=virtio two /mnt;
    stat -c '%u %g' /mnt/file; chown 7:7 /mnt/file; stat -c '%u %g' /mnt/file`;
  const ended = await startLinux(['--timeout', '800', ...shares, '--exec', script]).ended;
  assert.deepEqual([ended.status, ended.stderr], [0, '']);
  assert.equal(ended.stdout.toString(), `${uid} ${gid}\n0 0\n0 0\n`);
});
