import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { BlockFile } from '../../../block/block-file.ts';
import { readInto, writeFrom } from '../../../block/scattered.ts';
import { ScatteredBytes } from '../../../support/scattered-bytes.ts';
import { kindOf, messageOf, value } from '../../../support/testing/expect.ts';
import { NodeBlockFiles } from './block-files.ts';
import { loadLibc } from './libc.ts';
import { testFolder } from './testing/folder.ts';
import { qemuImg, qemuIo, qemuToolsSkip, run, whileQemuHas } from './testing/qemu-tools.ts';

const path = testFolder();
const libc = loadLibc();
const files = new NodeBlockFiles(libc);
const withoutLibc = new NodeBlockFiles(undefined);
function qemuSystemSkip(): string | false {
  if (libc === undefined) return 'needs node:ffi';
  const missing = spawnSync('qemu-system-x86_64', ['--version']).error !== undefined;
  return missing && 'qemu-system-x86_64 is not installed (apt-get install qemu-system-x86)';
}

const ways = [
  ['with the C library', files],
  ['without it', withoutLibc],
] as const;

async function bytesAt(file: BlockFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length).fill(0xee);
  value(await file.read(offset, bytes));
  return bytes;
}

for (const [way, opener] of ways) {
  describe(`a file, ${way}`, () => {
    test('what is written is read, and beyond the end there are zeroes', async () => {
      const name = path(`rw-${way}`);
      const file = value(await opener.create(name));
      value(await file.write(1000, Uint8Array.of(1, 2, 3)));
      assert.equal(value(await file.size()), 1003);
      assert.deepEqual([...(await bytesAt(file, 998, 8))], [0, 0, 1, 2, 3, 0, 0, 0]);
      assert.deepEqual([...(await bytesAt(file, 5000, 2))], [0, 0]);
      value(await file.read(0, new Uint8Array(0)));
      value(await file.flush());
      value(await file.truncate(1001));
      value(await file.close());
      assert.deepEqual([...readFileSync(name).subarray(998)], [0, 0, 1]);
    });

    test('a guest that shares its memory with other threads can be read into and written from', async () => {
      const file = value(await opener.create(path(`shared-${way}`)));
      const shared = new Uint8Array(new SharedArrayBuffer(8192));
      shared.fill(3, 100, 1000);
      value(await file.write(7, shared.subarray(50, 1050)));
      for (const length of [20, 4096]) {
        shared.fill(0xee);
        value(await file.read(7 + 40, shared.subarray(11, 11 + length)));
        assert.deepEqual([...shared.subarray(9, 23)], [0xee, 0xee, ...new Array(10).fill(0), 3, 3]);
      }
      value(await file.close());
    });

    test('places that are scattered over memories are read into and written from, however many', async () => {
      const file = value(await opener.create(path(`scattered-${way}`)));
      // More than a call takes, more than is moved at once, and less.
      for (const [count, bytesEach] of [
        [1500, 1],
        [2100, 512],
        [300, 4096],
        [40, 100],
      ] as const) {
        const memory = new Uint8Array(new SharedArrayBuffer(count * bytesEach * 2));
        for (let at = 0; at < memory.length; at++) memory[at] = (at * 2654435761) >>> 24;
        const places = Array.from({ length: count }, (_, n) => [
          ((n * 1009) % count) * 2 * bytesEach,
          bytesEach,
        ]).flat();
        const others = places.map((number, index) => (index % 2 === 0 ? number + bytesEach : number));
        const bytes = new ScatteredBytes(memory, places);
        const into = new ScatteredBytes(memory, others);
        for (const part of [bytes, bytes.subarray(777), bytes.subarray(5, bytes.length >> 3), bytes.subarray(9, 10)]) {
          const written = part.copy();
          value(await writeFrom(file, 333, part));
          assert.ok(Buffer.from(await bytesAt(file, 333, part.length)).equals(written));
          const end = value(await file.size());
          const start = Math.max(333, end - (into.length >> 1));
          const expected = await bytesAt(file, start, into.length);
          value(await readInto(file, start, into));
          assert.ok(Buffer.from(into.copy()).equals(expected));
          assert.ok(expected.subarray(end - start).every((byte) => byte === 0));
          assert.ok(Buffer.from(part.copy()).equals(written), 'and nothing else');
        }
        value(await file.truncate(0));
      }
      value(await file.close());
    });

    test('requests that are done at once leave others their turn', async () => {
      const file = value(await opener.create(path(`turns-${way}`)));
      value(await file.write(0, new Uint8Array(4096).fill(1)));
      let turned = false;
      setImmediate(() => {
        turned = true;
      });
      const bytes = new Uint8Array(4096);
      let requests = 0;
      while (!turned && requests < 1000) {
        value(await (requests++ % 2 === 0 ? file.read(0, bytes) : file.write(0, bytes)));
      }
      assert.ok(turned);
      value(await file.close());
    });

    test('many requests at once', async () => {
      const file = value(await opener.create(path(`many-${way}`)));
      const numbers = Array.from({ length: 200 }, (_, index) => index);
      await Promise.all(numbers.map(async (n) => value(await file.write(n * 512, new Uint8Array(512).fill(n)))));
      const read = await Promise.all(numbers.map((n) => bytesAt(file, n * 512, 512)));
      assert.ok(read.every((bytes, n) => bytes.every((byte) => byte === n)));
      value(await file.close());
    });

    test('a punched hole reads as zeroes and does not make the file longer', async () => {
      const name = path(`hole-${way}`);
      const file = value(await opener.create(name));
      value(await file.write(0, new Uint8Array(3 << 20).fill(7)));
      value(await file.punchHole(4096, 1 << 20));
      value(await file.punchHole((3 << 20) - 10, 1 << 20));
      assert.equal(value(await file.size()), 3 << 20);
      const bytes = await bytesAt(file, 0, 3 << 20);
      assert.ok(
        bytes.every((byte, at) => byte === ((at >= 4096 && at < 4096 + (1 << 20)) || at >= (3 << 20) - 10 ? 0 : 7)),
      );
      value(await file.close());
    });

    test('what is open for reading is not written', async () => {
      const name = path(`ro-${way}`);
      writeFileSync(name, 'abc');
      const file = value(await opener.open(name, 'read'));
      assert.equal(file.readOnly, true);
      assert.equal(kindOf(await file.write(0, Uint8Array.of(1))), 'read-only');
      assert.equal(kindOf(await file.truncate(0)), 'read-only');
      assert.equal(kindOf(await file.punchHole(0, 1)), 'read-only');
      value(await file.flush());
      value(await file.close());
      assert.equal(readFileSync(name, 'utf8'), 'abc');
    });

    test('what is no file is refused with a sentence', async () => {
      mkdirSync(path(`folder-${way}`));
      spawnSync('mkfifo', [path(`pipe-${way}`)]);
      assert.equal(kindOf(await opener.open(path('nothing'), 'read')), 'not-found');
      assert.match(messageOf(await opener.open(path(`folder-${way}`), 'write')), /it is a folder\.$/);
      assert.match(messageOf(await opener.open(path(`pipe-${way}`), 'read')), /neither a file nor a block device\.$/);
      assert.match(messageOf(await opener.create('/dev/null')), /neither a file nor a block device\.$/);
      assert.equal(kindOf(await opener.create(path('nothing/at/all'))), 'not-found');
      assert.equal(kindOf(await opener.open('x'.repeat(5000), 'read')), 'not-found');
    });

    test('a path is relative to the folder of another one', async () => {
      mkdirSync(path(`sub-${way}`));
      writeFileSync(path(`base-${way}`), 'abc');
      const file = value(await opener.open(`../base-${way}`, 'read', path(`sub-${way}/overlay`)));
      assert.equal(value(await file.size()), 3);
      value(await file.close());
      const absolute = value(await opener.open(path(`base-${way}`), 'read', '/somewhere/else'));
      value(await absolute.close());
    });
  });
}

test('holes and data are told apart', { skip: libc === undefined && 'needs node:ffi' }, async () => {
  const name = path('sparse');
  const fd = openSync(name, 'w');
  ftruncateSync(fd, 4 << 20);
  closeSync(fd);
  const file = value(await files.open(name, 'write'));
  value(await file.write(1 << 20, new Uint8Array(1 << 20).fill(1)));
  assert.deepEqual(value(await file.extent(0, 4 << 20)), { kind: 'hole', length: 1 << 20 });
  assert.deepEqual(value(await file.extent(1 << 20, 4 << 20)), { kind: 'data', length: 1 << 20 });
  assert.deepEqual(value(await file.extent(2 << 20, 4 << 20)), { kind: 'hole', length: 4 << 20 });
  assert.deepEqual(value(await file.extent(3 << 20, 100)), { kind: 'hole', length: 100 });
  assert.deepEqual(value(await file.extent(9 << 20, 100)), { kind: 'hole', length: 100 });
  value(await file.punchHole(1 << 20, 1 << 20));
  assert.equal(statSync(name).blocks, 0);
  value(await file.close());
});

for (const way of ['loadLibc()', 'undefined']) {
  test(`a full file system is a failure of its own kind, with ${way}`, async (t) => {
    mkdirSync(path('small'), { recursive: true });
    const here = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
    const program = `
      const { NodeBlockFiles } = await import(${here('./block-files.ts')});
      const { loadLibc } = await import(${here('./libc.ts')});
      const { ScatteredBytes } = await import(${here('../../../support/scattered-bytes.ts')});
      const file = await new NodeBlockFiles(${way}).create(${JSON.stringify(path('small/image'))});
      const data = new Uint8Array(4 << 20);
      const half = new ScatteredBytes(data, [0, 1 << 18, 1 << 20, 1 << 18]);
      for (const [offset, bytes] of [[0, data], [1 << 20, half], [1 << 20, data.subarray(0, 4096)]]) {
        const written = await file.value.write(offset, bytes);
        console.log(written.ok ? 'ok' : written.error.kind);
      }
      await file.value.truncate(0);
      console.log((await file.value.write(0, new Uint8Array(4096))).ok);
    `;
    const script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" --input-type=module -e "$3"';
    const args = ['-rm', 'sh', '-c', script, 'sh', path('small'), process.execPath, program];
    const { status, stdout, text } = await run('unshare', args);
    const unable = stdout === '' && /^(unshare|mount): /m.test(text);
    if (unable) return t.skip(`a small file system cannot be mounted here: ${text.trim()}`);
    assert.deepEqual([status, stdout], [0, 'no-space\nno-space\nno-space\ntrue\n']);
  });
}

describe('locks', { skip: qemuToolsSkip() || (libc === undefined && 'needs node:ffi') }, () => {
  test('a writer keeps everybody out, readers keep writers out', async () => {
    const name = path('locked');
    await qemuImg('create', '-q', '-f', 'qcow2', name, '1M');
    const writer = value(await files.open(name, 'write'));
    assert.equal(kindOf(await files.open(name, 'write')), 'in-use');
    assert.match(messageOf(await files.open(name, 'read')), /locked open for writing: .*QEMU.*qemu-img/);
    assert.equal(kindOf(await files.create(name)), 'in-use');
    value(await writer.close());
    const readers = [value(await files.open(name, 'read')), value(await files.open(name, 'read'))];
    assert.match(messageOf(await files.open(name, 'write')), /does not want it changed/);
    for (const reader of readers) value(await reader.close());
    value(await value(await files.open(name, 'write')).close());
    assert.ok(statSync(name).size > 0);
  });

  test('QEMU honours them', async () => {
    const name = path('ours');
    await qemuImg('create', '-q', '-f', 'qcow2', name, '1M');
    const writer = value(await files.open(name, 'write'));
    assert.match((await run('qemu-img', ['info', name])).text, /Failed to get shared "write" lock/);
    assert.match((await run('qemu-io', ['-c', 'write 0 4k', name])).text, /Failed to get/);
    assert.equal((await run('qemu-img', ['info', '-U', name])).status, 0);
    value(await writer.close());
    const reader = value(await files.open(name, 'read'));
    await qemuImg('info', name);
    assert.match((await run('qemu-io', ['-c', 'write 0 4k', name])).text, /Failed to get "write" lock/);
    value(await reader.close());
    await qemuIo('qcow2', name, 'write 0 4k');
  });

  test("QEMU's are honoured", async () => {
    const name = path('theirs');
    await qemuImg('create', '-q', '-f', 'qcow2', name, '1M');
    await whileQemuHas(name, [], async () => {
      assert.equal(kindOf(await files.open(name, 'write')), 'in-use');
      assert.equal(kindOf(await files.open(name, 'read')), 'in-use');
    });
    await whileQemuHas(name, ['-r'], async () => {
      assert.equal(kindOf(await files.open(name, 'write')), 'in-use');
      value(await value(await files.open(name, 'read')).close());
    });
    value(await value(await files.open(name, 'write')).close());
  });
});

test('a virtual machine of QEMU is respected, and respects', { skip: qemuSystemSkip() }, async () => {
  const name = path('machine');
  writeFileSync(name, new Uint8Array(1 << 20));
  const machine = ['-display', 'none', '-nodefaults', '-S', '-drive', `file=${name},format=raw`, '-monitor', 'stdio'];
  const writer = value(await files.open(name, 'write'));
  const refused = await run('qemu-system-x86_64', machine);
  assert.match(refused.text, /Failed to get "write" lock/);
  value(await writer.close());
  const qemu = spawn('qemu-system-x86_64', machine, { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = new Promise((resolve) => qemu.once('close', resolve));
  let monitor = '';
  await new Promise<void>((resolve) => {
    qemu.stdout.on('data', (bytes: Buffer) => {
      monitor += bytes.toString();
      // The monitor answers once the machine is there.
      if (monitor.includes('Attached to')) resolve();
    });
    qemu.stdin.write('info block\n');
  });
  assert.equal(kindOf(await files.open(name, 'write')), 'in-use');
  assert.equal(kindOf(await files.open(name, 'read')), 'in-use');
  qemu.stdin.end('quit\n');
  await closed;
  value(await value(await files.open(name, 'write')).close());
});

test('a temporary file has no name', async () => {
  const file = value(await files.createTemporary());
  value(await file.write(0, Uint8Array.of(5)));
  assert.deepEqual([...(await bytesAt(file, 0, 2))], [5, 0]);
  const listed = spawnSync('sh', [
    '-c',
    `ls /proc/${process.pid}/fd -l | grep corbel-${process.pid}-`,
  ]).stdout.toString();
  if (process.platform === 'linux') assert.match(listed, /\(deleted\)/);
  value(await file.close());
});

test('users do not see that the foreign functions are experimental', async () => {
  const program = `const { loadLibc } = await import(${JSON.stringify(new URL('./libc.ts', import.meta.url).href)});
    const libc = loadLibc(); libc?.lseek(0, 0n, 1); process.emitWarning('other'); console.log(typeof libc);`;
  const { text } = await run(process.execPath, ['--input-type=module', '-e', program]);
  assert.match(text, /^(object|undefined)\n/);
  assert.doesNotMatch(text, /experimental/i);
  assert.match(text, /Warning: other/);
});
