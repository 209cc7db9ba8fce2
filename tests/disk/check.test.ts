import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { checkQcow2 } from '../../src/block/qcow2/check/check.ts';
import type { CheckReport, Repair } from '../../src/block/qcow2/check/check-state.ts';
import { nodeImageHost } from '../../src/host/node/disk/image-host.ts';
import { testFolder } from '../../src/host/node/disk/testing/folder.ts';
import { qemuImg, qemuIo, qemuToolsSkip, run } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { value } from '../../src/support/testing/expect.ts';
import { Random } from '../oracle/random.ts';

const path = testFolder();
const host = nodeImageHost();
const own = 1n << 63n;

async function check(name: string, repair: Repair): Promise<CheckReport> {
  const file = value(await host.files.open(path(name), repair === 'none' ? 'read' : 'write'));
  const report = value(await checkQcow2(file, { repair }));
  value(await file.close());
  return report;
}

/** An image's bytes with names for what is in them. */
class Damaged {
  readonly bytes: Buffer;
  readonly clusterBytes: number;
  readonly l1: number;
  readonly refcountTable: number;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
    this.clusterBytes = 2 ** this.bytes.readUInt32BE(20);
    this.l1 = this.#offset(40);
    this.refcountTable = this.#offset(48);
  }

  get l2(): number {
    return this.#offset(this.l1);
  }

  get refcountBlock(): number {
    return this.#offset(this.refcountTable);
  }

  set(offset: number, entry: bigint): void {
    this.bytes.writeBigUInt64BE(entry, offset);
  }

  flip(offset: number, bit: bigint): void {
    this.set(offset, this.bytes.readBigUInt64BE(offset) ^ bit);
  }

  #offset(at: number): number {
    return Number(this.bytes.readBigUInt64BE(at) & 0x00ff_ffff_ffff_fe00n);
  }
}

/** What counts and flags can be wrong in without anything being lost. */
const harmless: readonly (readonly [string, (image: Damaged, random: Random) => void])[] = [
  [
    'counts',
    (image, random) => {
      for (let count = 0; count < 5; count++) image.bytes[image.refcountBlock + random.below(40)] = random.below(256);
    },
  ],
  [
    'a refcount block somewhere else',
    (image, random) => image.set(image.refcountTable, BigInt(random.below(100)) * 512n),
  ],
  ['a refcount block beyond the end', (image) => image.set(image.refcountTable, 1n << 40n)],
  ['no refcount block', (image) => image.set(image.refcountTable, 0n)],
  ['a flag in the L1 table', (image) => image.flip(image.l1, own)],
  ['flags in an L2 table', (image, random) => image.flip(image.l2 + 8 * random.below(10), own)],
];

describe('damage that QEMU finds, too', { skip: qemuToolsSkip() }, () => {
  for (const options of [
    'cluster_size=512',
    'cluster_size=64k',
    'refcount_bits=1,cluster_size=4k',
    'refcount_bits=64',
    'compat=0.10',
  ]) {
    test(options, async () => {
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path('good.qcow2'), '8M');
      for (let turn = 0; turn < 2; turn++) {
        await qemuIo('qcow2', path('good.qcow2'), `write -P ${turn + 1} ${turn}M 1500k`, 'discard 1M 300k');
        if (!options.includes('bits=1')) await qemuImg('snapshot', '-c', `turn ${turn}`, path('good.qcow2'));
      }
      await qemuImg('convert', '-O', 'raw', path('good.qcow2'), path('good.raw'));
      const good = readFileSync(path('good.qcow2'));
      for (const [index, [name, damage]] of harmless.entries()) {
        for (let turn = 0; turn < 3; turn++) {
          const image = new Damaged(good);
          damage(image, new Random(turn, index, options));
          writeFileSync(path('bad.qcow2'), image.bytes);
          const theirs = await run('qemu-img', ['check', path('bad.qcow2')]);
          const found = await check('bad.qcow2', 'none');
          const clean = found.errors + found.leaks === 0;
          assert.equal(clean, theirs.status === 0, `${name}: ${found.problems.join('; ')}; QEMU: ${theirs.text}`);
          const { errors, leaks } = await check('bad.qcow2', turn === 0 ? 'refcounts' : 'all');
          assert.deepEqual([errors, leaks], [0, 0], name);
          await qemuImg('check', '-q', path('bad.qcow2'));
          await qemuImg('compare', '-q', '-F', 'raw', path('bad.qcow2'), path('good.raw'));
        }
      }
    });
  }
});

describe('pointers that cannot be right', { skip: qemuToolsSkip() }, () => {
  const cases: readonly (readonly [string, RegExp, (image: Damaged) => void])[] = [
    [
      'data outside the file',
      /a data cluster at 0x8000000000, outside the file/,
      (image) => image.set(image.l2, own | (1n << 39n)),
    ],
    [
      'data on the L1 table',
      /a data cluster at 0x\w+, on a table/,
      (image) => image.set(image.l2, own | BigInt(image.l1)),
    ],
    ['unaligned data', /an unaligned data cluster/, (image) => image.flip(image.l2, 512n)],
    [
      'an L2 table outside the file',
      /an L2 table at 0x8000000000, where none can be/,
      (image) => image.set(image.l1, own | (1n << 39n)),
    ],
    [
      'an unaligned L2 table',
      /an L2 table at 0x600, where none can be/,
      (image) => image.set(image.l1, own | (3n << 9n)),
    ],
  ];
  for (const [name, pattern, damage] of cases) {
    test(name, async () => {
      await qemuImg('create', '-q', '-f', 'qcow2', path('p.qcow2'), '4M');
      await qemuIo('qcow2', path('p.qcow2'), 'write -P 1 0 1M');
      const image = new Damaged(readFileSync(path('p.qcow2')));
      damage(image);
      writeFileSync(path('p.qcow2'), image.bytes);
      const found = await check('p.qcow2', 'none');
      assert.ok(found.errors > 0);
      assert.match(found.problems.join('\n'), pattern);
      // What the pointer led to may still be wanted: only a full repair gives it up.
      const kept = await check('p.qcow2', 'leaks');
      assert.deepEqual([kept.repairedLeaks, kept.leaks], [0, found.leaks]);
      assert.ok(found.leaks > 0);
      const { errors, leaks } = await check('p.qcow2', 'all');
      assert.deepEqual([errors, leaks], [0, 0]);
      await qemuImg('check', '-q', path('p.qcow2'));
    });
  }
});
