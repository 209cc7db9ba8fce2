import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { vdi } from '../import/vdi.ts';
import { vhd } from '../import/vhd.ts';
import { vhdx } from '../import/vhdx/vhdx.ts';
import { vmdk } from '../import/vmdk/vmdk.ts';
import { ImageFile } from './image-file.ts';
import { type FuzzTarget, fuzzOnce } from './image-fuzzer.ts';
import { encodeEntry, logOf, openLog, placeEntry, sealStructure } from './vhdx-log.ts';
import { sparseContent, Workshop, withoutQemuImg } from './workshop.ts';

const content = sparseContent(3 * 2 ** 20 + 512, 3);

interface Case {
  readonly name: string;
  make(workshop: Workshop): FuzzTarget;
}

function load(workshop: Workshop, name: string): Uint8Array {
  return Uint8Array.from(readFileSync(workshop.path(name)));
}

function vmdkTarget(workshop: Workshop, subformat: string, places: FuzzTarget['places']): FuzzTarget {
  workshop.image('image.vmdk', content, '-O', 'vmdk', '-o', `subformat=${subformat}`);
  const others = ['image-flat.vmdk', 'image-s001.vmdk'].flatMap((name) => {
    const isPart = subformat === (name.endsWith('flat.vmdk') ? 'monolithicFlat' : 'twoGbMaxExtentSparse');
    return isPart ? [new ImageFile(load(workshop, name), name)] : [];
  });
  return { importer: vmdk, image: load(workshop, 'image.vmdk'), others, places };
}

function vhdxTarget(workshop: Workshop, withLog: boolean): FuzzTarget {
  workshop.image('image.vhdx', content, '-O', 'vhdx', '-o', 'block_size=1M,log_size=1M');
  const image = load(workshop, 'image.vhdx');
  const { offset: log } = logOf(image);
  // QEMU's layout: the log, the table of blocks, the metadata, a mebibyte each.
  const [table, metadata] = [log + 2 ** 20, log + 2 * 2 ** 20];
  if (withLog) {
    const page = image.slice(table, table + 4096);
    image.fill(0, table, table + 4096);
    openLog(image);
    const sizes = { flushedFileBytes: image.length, lastFileBytes: image.length };
    const changes = [
      { offset: table, zeroBytes: 8192 },
      { offset: table, page },
    ];
    placeEntry(image, 0, encodeEntry({ sequence: 1n, tail: 0, changes, ...sizes }));
    placeEntry(image, 8192, encodeEntry({ sequence: 2n, tail: 0, changes, ...sizes }));
  }
  const tables: FuzzTarget['places'] = [
    ...([0x1_0000, 0x2_0000, 0x3_0000, 0x4_0000].map((place) => [place, 96]) as [number, number][]),
    ...([
      [table, 64],
      [metadata, 256],
      [metadata + 0x1_0000, 64],
    ] as [number, number][]),
  ];
  return {
    importer: vhdx,
    image,
    places: withLog
      ? [
          [log, 160],
          [log + 8192, 160],
          [0x2_0000, 96],
          [table, 64],
        ]
      : tables,
    seal(bytes) {
      for (const header of [0x1_0000, 0x2_0000]) sealStructure(bytes, header, 4096);
      for (const regions of [0x3_0000, 0x4_0000]) sealStructure(bytes, regions, 65_536);
      for (const entry of withLog ? [log, log + 8192] : []) {
        const length = new DataView(bytes.buffer).getUint32(entry + 8, true);
        if (length <= 65_536) sealStructure(bytes, entry, length);
      }
    },
  };
}

function vhdTarget(workshop: Workshop): FuzzTarget {
  workshop.image('image.vhd', content, '-O', 'vpc', '-o', 'force_size=on');
  const image = load(workshop, 'image.vhd').subarray(0, -512);
  const sum = (from: number, to: number): number => image.subarray(from, to).reduce((total, byte) => total + byte, 0);
  return {
    importer: vhd,
    image,
    places: [
      [0, 96],
      [512, 64],
      [1536, 16],
    ],
    seal(bytes) {
      const view = new DataView(bytes.buffer);
      view.setUint32(64, 0);
      view.setUint32(64, ~sum(0, 512) >>> 0);
      view.setUint32(512 + 36, 0);
      view.setUint32(512 + 36, ~sum(512, 1536) >>> 0);
    },
  };
}

const sparse: FuzzTarget['places'] = [
  [0, 80],
  [512, 400],
  [0x2a00, 16],
  [0x3400, 256],
];

const cases: readonly Case[] = [
  { name: 'vmdk monolithicSparse', make: (workshop) => vmdkTarget(workshop, 'monolithicSparse', sparse) },
  {
    name: 'vmdk streamOptimized',
    make: (workshop) => vmdkTarget(workshop, 'streamOptimized', [...sparse, [0x1_0000, 64]]),
  },
  { name: 'vmdk flat', make: (workshop) => vmdkTarget(workshop, 'monolithicFlat', [[0, 160]]) },
  { name: 'vmdk extents', make: (workshop) => vmdkTarget(workshop, 'twoGbMaxExtentSparse', [[0, 160]]) },
  { name: 'vhdx', make: (workshop) => vhdxTarget(workshop, false) },
  { name: 'vhdx with a log', make: (workshop) => vhdxTarget(workshop, true) },
  { name: 'vhd', make: vhdTarget },
  {
    name: 'vdi',
    make(workshop) {
      workshop.image('image.vdi', content, '-O', 'vdi');
      return {
        importer: vdi,
        image: load(workshop, 'image.vdi'),
        places: [
          [0x40, 0x190],
          [0x200, 16],
        ],
      };
    },
  },
];

/** One test a format. @param rounds images a format; FUZZ_SEED=n in the environment has only that one */
export function defineImageFuzzLane(rounds: number): void {
  const only = process.env.FUZZ_SEED;
  const seeds = only === undefined ? Array.from({ length: rounds }, (_, seed) => seed + 1) : [Number(only)];
  describe('damaged images', { skip: withoutQemuImg }, () => {
    for (const { name, make } of cases) {
      test(name, { timeout: 20_000 + rounds * 50 }, async (t: TestContext) => {
        const target = make(new Workshop(t));
        const pristine = target.image.slice();
        const outcomes: Record<string, number> = {};
        for (const seed of seeds) {
          const outcome = await fuzzOnce(target, seed);
          outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        }
        t.diagnostic(`seeds ${seeds[0]} to ${seeds.at(-1)}: ${JSON.stringify(outcomes)}; FUZZ_SEED=n repeats one`);
        assert.ok(Buffer.from(target.image).equals(pristine), 'the fuzzer restores the image');
        // A fuzzer whose images are all refused, or all accepted, finds nothing.
        assert.ok(only !== undefined || (Object.keys(outcomes).length > 1 && outcomes.opened !== undefined));
      });
    }
  });
}
