import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { testFolder } from '../host/node/disk/testing/folder.ts';
import { qemuImg, qemuIo, qemuToolsSkip, run, whileQemuHas } from '../host/node/disk/testing/qemu-tools.ts';
import { qcow2Header } from '../spec/qcow2.ts';
import { imageCommand } from './commands/image.ts';
import { corbel } from './testing/corbel-process.ts';

const path = testFolder();

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function corbelImage(...args: string[]): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  const print = (text: string): void => {
    stdout += text;
  };
  const say = (text: string): void => {
    stderr += `corbel: ${text}\n`;
  };
  return { status: await imageCommand(args, { print, say }), stdout, stderr };
}

/** @returns standard output; anything but success fails the test */
async function image(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await corbelImage(...args);
  assert.deepEqual([status, stderr], [0, ''], args.join(' '));
  return stdout;
}

async function refused(status: number, pattern: RegExp, ...args: string[]): Promise<void> {
  const ended = await corbelImage(...args);
  assert.equal(ended.status, status, `${args.join(' ')}: ${ended.stderr}`);
  assert.match(ended.stderr, pattern);
  assert.match(ended.stderr, /^corbel: [^\n]+\n$/);
}

/** Recognisable data with holes. */
function content(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, at) => ((at >> 17) % 3 === 0 ? 0 : (at * 7 + (at >> 9)) & 0xff));
}

test('the command as a process: output, status, and no word of anything else', async () => {
  const made = await corbel(['image', 'create', '-f', 'qcow2', path('process.qcow2'), '1M']);
  assert.deepEqual([made.status, made.stderr], [0, '']);
  assert.match(made.stdout.toString(), /process\.qcow2: qcow2, 1 MiB\n$/);
  const wrong = await corbel(['image', 'info', path('nothing')]);
  assert.equal(wrong.status, 65);
  assert.match(wrong.stderr, /^corbel: [^\n]+ there is no such file\.\n$/);
});

test('help and mistakes', async () => {
  assert.match(await image('--help'), /create .*\n.*info/);
  const commands = ['create', 'info', 'convert', 'check', 'resize', 'snapshot', 'rebase', 'commit'];
  for (const command of commands) {
    const help = await image(command, '--help');
    assert.match(help, new RegExp(`^Usage: corbel image ${command}`));
    assert.ok(
      help.split('\n').every((line) => line.length <= 80),
      help,
    );
    await refused(64, /no option --frobnicate/, command, '--frobnicate');
    await refused(64, /something is missing/, command);
  }
  await refused(64, /needs to know what/);
  await refused(64, /no command image fly/, 'fly');
  await refused(64, /no place for "c"/, 'info', 'a', 'c');
  await refused(64, /not "many"/, 'create', path('x'), 'many');
  await refused(64, /the size of the disk is missing/, 'create', path('x'));
  await refused(65, /power of two/, 'create', '-f', 'qcow2', '-o', 'cluster_size=3', path('x'), '1M');
  await refused(65, /cannot be written/, 'create', '-f', 'vmdk', path('x'), '1M');
  await refused(64, /NAME=VALUE/, 'create', '-f', 'qcow2', '-o', 'fast', path('x'), '1M');
  await refused(65, /there is no such file/, 'info', path('nothing'));
  await refused(64, /takes leaks or all/, 'check', '-r', 'some', path('x'));
  await refused(64, /new backing file is missing/, 'rebase', path('x'));
  await refused(64, /say the format/, 'rebase', '-b', 'y', path('x'));
  await refused(64, /one thing at a time/, 'snapshot', '-c', 'a', '-d', 'b', path('x'));
  assert.ok(!existsSync(path('x')));
});

test('create says what it made, and takes care of what it would overwrite', async () => {
  assert.match(await image('create', path('a.raw'), '10M'), /a\.raw: raw, 10 MiB\n$/);
  assert.equal(statSync(path('a.raw')).size, 10 << 20);
  assert.match(await image('create', '-f', 'qcow2', path('a.qcow2'), '1.5G'), /a\.qcow2: qcow2, 1\.5 GiB\n$/);
  assert.equal(await image('create', '-q', '-f', 'qcow2', '-b', 'a.qcow2', '-F', 'qcow2', path('b.qcow2')), '');
  const facts = JSON.parse(await image('info', '--json', path('b.qcow2')));
  assert.deepEqual([facts['virtual-size'], facts['backing-filename']], [1.5 * 2 ** 30, 'a.qcow2']);
  await refused(
    65,
    /say the format of a\.qcow2 with -F; it looks like qcow2/,
    'create',
    '-f',
    'qcow2',
    '-b',
    'a.qcow2',
    path('c'),
  );
  await refused(65, /cannot have a backing file/, 'create', '-b', 'a.raw', '-F', 'raw', path('c'));
  await refused(64, /its own backing file/, 'create', '-f', 'qcow2', '-b', 'b.qcow2', '-F', 'qcow2', path('b.qcow2'));
  await refused(65, /there is no such file/, 'create', '-f', 'qcow2', '-b', 'gone', '-F', 'raw', path('c'));
  await image('create', '-u', '-f', 'qcow2', '-b', 'gone', '-F', 'raw', path('c'), '1M');
  await refused(64, /same file/, 'convert', path('a.qcow2'), path('a.qcow2'));
});

test('info tells it to people and to programs', async () => {
  await image('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k,compat=0.10', path('old.qcow2'), '8M');
  await image('snapshot', '-c', 'first', path('old.qcow2'));
  const text = await image('info', path('old.qcow2'));
  for (const line of [
    /format: +qcow2\n/,
    /disk: +8 MiB \(8388608 bytes\)\n/,
    /compat: +0\.10\n/,
    /snapshots:\n/,
    /1 +first/,
  ]) {
    assert.match(text, line);
  }
  const facts = JSON.parse(await image('info', '--json', path('old.qcow2')));
  assert.equal(facts['cluster-size'], 4096);
  assert.equal(facts.snapshots[0].name, 'first');
  assert.equal(facts['format-specific'].data.compat, '0.10');
  const [listed] = JSON.parse(await image('snapshot', '--json', path('old.qcow2')));
  assert.equal(listed.name, 'first');
});

test('a name of a snapshot does nothing to the terminal that it is shown on', async () => {
  const file = path('named.qcow2');
  const name = `up\n\u001b[2Jdate ${'x'.repeat(100)}`;
  await image('create', '-q', '-f', 'qcow2', file, '1M');
  await image('snapshot', '-c', name, file);
  const shown = `up??[2Jdate ${'x'.repeat(51)}…`;
  const row = (await image('snapshot', file)).split('\n')[1] ?? '';
  assert.ok(row.startsWith(`1   ${shown}  `), row);
  const [listed] = JSON.parse(await image('snapshot', '--json', file));
  assert.equal(listed.name, name);
  await image('snapshot', '-a', name, file);
  const bytes = readFileSync(file);
  const table = Number(bytes.readBigUInt64BE(qcow2Header.snapshotsOffset));
  bytes.writeBigUInt64BE(3n, table);
  writeFileSync(file, bytes);
  const damaged = 'up\\?\\?\\[2Jdate x+…" is misplaced';
  await refused(65, new RegExp(`snapshot "${damaged}`), 'check', file);
  await refused(65, new RegExp(`snapshot "${damaged}`), 'convert', '-l', name, '-O', 'raw', file, path('named.raw'));
});

describe('with QEMU as the judge', { skip: qemuToolsSkip() }, () => {
  const compare = (a: string, b: string) => qemuImg('compare', '-q', path(a), path(b));

  test('what info says is what qemu-img says', async () => {
    await qemuImg(
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      'compression_type=zstd,lazy_refcounts=on',
      path('i.qcow2'),
      '3G',
    );
    await qemuImg('snapshot', '-c', 'x', path('i.qcow2'));
    const ours = JSON.parse(await image('info', '--json', path('i.qcow2')));
    const theirs = JSON.parse(await qemuImg('info', '--output=json', path('i.qcow2')));
    for (const key of ['virtual-size', 'format', 'cluster-size', 'actual-size', 'dirty-flag', 'filename']) {
      assert.deepEqual(ours[key], theirs[key], key);
    }
    for (const [key, fact] of Object.entries(ours['format-specific'].data)) {
      assert.deepEqual(theirs['format-specific'].data[key], fact, key);
    }
    for (const key of ['id', 'name', 'date-sec', 'vm-state-size']) {
      assert.deepEqual(ours.snapshots[0][key], theirs.snapshots[0][key], key);
    }
  });

  test('convert, in every direction', async () => {
    const bytes = content(3 << 20);
    writeFileSync(path('c.raw'), bytes);
    await image('convert', '-f', 'raw', '-O', 'qcow2', path('c.raw'), path('c1.qcow2'));
    await image('convert', '-c', '-O', 'qcow2', path('c1.qcow2'), path('c2.qcow2'));
    await image('convert', '-c', '-O', 'qcow2', '-o', 'compression_type=zstd', path('c2.qcow2'), path('c3.qcow2'));
    await image('convert', '-O', 'qcow2', '-o', 'cluster_size=512', '-S', '0', path('c3.qcow2'), path('c4.qcow2'));
    await image('convert', path('c4.qcow2'), path('c5.raw'));
    for (const name of ['c1', 'c2', 'c3', 'c4']) {
      await qemuImg('check', '-q', path(`${name}.qcow2`));
      await compare('c.raw', `${name}.qcow2`);
    }
    assert.deepEqual(readFileSync(path('c5.raw')), Buffer.from(bytes));
    assert.ok(statSync(path('c5.raw')).blocks * 512 < bytes.length, 'holes stay holes');
    assert.ok(statSync(path('c2.qcow2')).size < statSync(path('c1.qcow2')).size);
    const existing = path('larger.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', existing, '3M');
    await qemuIo('qcow2', existing, 'write -P 9 0 3M');
    await image('convert', '-n', '-O', 'qcow2', path('c.raw'), existing);
    await compare('c.raw', 'larger.qcow2');
    await qemuImg('create', '-q', '-f', 'raw', path('small.raw'), '1M');
    await refused(65, /too small: 1 MiB, 3 MiB are needed/, 'convert', '-n', path('c.raw'), path('small.raw'));
    await refused(64, /needs a qcow2 image/, 'convert', '-c', path('c.raw'), path('new.raw'));
  });

  test('an image that could not be finished does not stay', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', path('broken.qcow2'), '4M');
    await qemuIo('qcow2', path('broken.qcow2'), 'write -P 1 0 1M', 'write -P 2 2M 1M');
    const bytes = readFileSync(path('broken.qcow2'));
    const l1 = Number(bytes.readBigUInt64BE(40));
    const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
    bytes.writeBigUInt64BE(0x8000_0000_0000_0200n, l2 + 32 * 8);
    writeFileSync(path('broken.qcow2'), bytes);
    await refused(65, /is damaged: .*unaligned/, 'convert', '-O', 'raw', path('broken.qcow2'), path('unfinished.raw'));
    assert.ok(!existsSync(path('unfinished.raw')));
  });

  test('check and repair', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', path('check.qcow2'), '4M');
    await qemuIo('qcow2', path('check.qcow2'), 'write -P 1 0 1M');
    assert.match(await image('check', path('check.qcow2')), /check\.qcow2: no errors\n16 of 64 clusters in use/);
    const bytes = readFileSync(path('check.qcow2'));
    const block = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(48))));
    bytes.writeUInt16BE(1, block + 2 * 100);
    writeFileSync(path('check.qcow2'), bytes);
    assert.equal((await corbelImage('check', '-q', path('check.qcow2'))).status, 3);
    bytes.writeUInt16BE(0, block + 2 * 6);
    writeFileSync(path('check.qcow2'), bytes);
    const wrong = await corbelImage('check', '--json', path('check.qcow2'));
    assert.equal(wrong.status, 2);
    const facts = JSON.parse(wrong.stdout);
    // The count that is missing, and the flag that says it is one.
    assert.deepEqual([facts.corruptions, facts.leaks], [2, 1]);
    const theirs = await run('qemu-img', ['check', path('check.qcow2')]);
    assert.equal(theirs.status, 2);
    assert.match(await image('check', '-r', 'all', path('check.qcow2')), /no errors \(1 error and 1 leak repaired\)/);
    await qemuImg('check', '-q', path('check.qcow2'));
    writeFileSync(path('check.raw'), new Uint8Array(512));
    await refused(65, /nothing to check/, 'check', path('check.raw'));
  });

  test('resize', async () => {
    for (const [name, format] of [
      ['r.qcow2', 'qcow2'],
      ['r.raw', 'raw'],
    ] as const) {
      await qemuImg('create', '-q', '-f', format, path(name), '4M');
      await qemuIo(format, path(name), 'write -P 1 0 4M');
      await refused(65, /say --shrink/, 'resize', path(name), '-2M');
      assert.match(await image('resize', '--shrink', path(name), '-2M'), /: 2 MiB\n$/);
      assert.match(await image('resize', path(name), '+20M'), /: 22 MiB\n$/);
      await image('resize', '-q', '-f', format, path(name), '30M');
      const { 'virtual-size': size } = JSON.parse(await qemuImg('info', '-f', format, '--output=json', path(name)));
      assert.equal(size, 30 * 2 ** 20);
      await qemuIo(format, path(name), 'read -P 1 0 2M', 'read -P 0 2M 28M');
      await refused(65, /has only 31457280 bytes/, 'resize', '--shrink', path(name), '-2G');
      await refused(64, /like 20G/, 'resize', path(name), 'big');
    }
  });

  test('snapshots', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', path('s.qcow2'), '4M');
    await qemuIo('qcow2', path('s.qcow2'), 'write -P 1 0 1M');
    await image('snapshot', '-c', 'one', path('s.qcow2'));
    await qemuIo('qcow2', path('s.qcow2'), 'write -P 2 0 1M');
    await image('snapshot', '--create', 'two', path('s.qcow2'));
    assert.match(await image('snapshot', '-l', path('s.qcow2')), /^ID +NAME.*\n1 +one .*\n2 +two .*\n$/);
    await image('convert', '-l', 'one', path('s.qcow2'), path('one.raw'));
    await qemuIo('raw', path('one.raw'), 'read -P 1 0 1M');
    await image('snapshot', '-a', 'one', path('s.qcow2'));
    await qemuIo('qcow2', path('s.qcow2'), 'read -P 1 0 1M');
    await image('snapshot', '-d', '2', path('s.qcow2'));
    await refused(65, /has no snapshot "two"/, 'snapshot', '-a', 'two', path('s.qcow2'));
    await qemuImg('check', '-q', path('s.qcow2'));
    assert.match(await qemuImg('snapshot', '-l', path('s.qcow2')), /one/);
    await refused(65, /only qcow2 images can have snapshots/, 'snapshot', path('one.raw'));
  });

  test('rebase and commit keep what the disk reads as', async () => {
    const make = async (name: string, ...commands: string[]): Promise<void> => {
      await qemuImg('create', '-q', '-f', 'qcow2', path(name), '4M');
      await qemuIo('qcow2', path(name), ...commands);
    };
    await make('base1.qcow2', 'write -P 1 0 2M');
    await make('base2.qcow2', 'write -P 1 0 1M', 'write -P 3 3M 1M');
    const overlay = async (name: string): Promise<void> => {
      await image('create', '-q', '-f', 'qcow2', '-b', 'base1.qcow2', '-F', 'qcow2', path(name));
      await qemuIo('qcow2', path(name), 'write -P 5 500k 100k', 'write -z 1536k 256k');
    };
    await overlay('top.qcow2');
    await qemuImg('convert', '-O', 'raw', path('top.qcow2'), path('top.raw'));
    await image('rebase', '-b', 'base2.qcow2', '-F', 'qcow2', path('top.qcow2'));
    assert.equal(
      JSON.parse(await qemuImg('info', '--output=json', path('top.qcow2')))['backing-filename'],
      'base2.qcow2',
    );
    await compare('top.qcow2', 'top.raw');
    await image('rebase', '-b', '', path('top.qcow2'));
    await compare('top.qcow2', 'top.raw');
    await qemuImg('check', '-q', path('top.qcow2'));
    await overlay('over.qcow2');
    await image('rebase', '-u', '-b', path('base1.qcow2'), '-F', 'qcow2', path('over.qcow2'));
    await compare('over.qcow2', 'top.raw');
    await image('commit', path('over.qcow2'));
    await compare('base1.qcow2', 'top.raw');
    await compare('over.qcow2', 'top.raw');
    await qemuImg('check', '-q', path('over.qcow2'));
    await qemuImg('check', '-q', path('base1.qcow2'));
    await refused(65, /has no backing file/, 'commit', path('base1.qcow2'));
    await image('rebase', '-u', '-b', 'gone', '-F', 'raw', path('over.qcow2'));
    await refused(65, /gone cannot be opened: there is no such file/, 'rebase', '-b', '', path('over.qcow2'));
  });

  test('an image in use is left alone', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', path('used.qcow2'), '4M');
    await whileQemuHas(path('used.qcow2'), [], async () => {
      await refused(65, /open for writing: .*qemu-img/, 'resize', path('used.qcow2'), '+1M');
      await image('info', '-U', path('used.qcow2'));
    });
  });
});
