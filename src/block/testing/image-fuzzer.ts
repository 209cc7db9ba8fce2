/**
 * Changes images in places that matter and opens and reads them. Whatever comes out is right as long as it is a result:
 * nothing throws, and nothing asks for more memory than its format can need.
 */
import assert from 'node:assert/strict';
import type { Result } from '../../support/result.ts';
import { Random } from '../../support/testing/seeded-random.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { Importer } from '../import/importer.ts';
import { ImageFile, imageFiles } from './image-file.ts';
import { zlibCodecs } from './zlib-codecs.ts';

export interface FuzzTarget {
  readonly importer: Importer;
  readonly image: Uint8Array;
  /** Files that the image refers to; the fuzzer leaves them alone. */
  readonly others?: readonly ImageFile[];
  /** Where headers and tables lie: offset and length, each as likely as the others. */
  readonly places: readonly (readonly [number, number])[];
  /** Makes checksums right again, which otherwise would refuse every change. */
  seal?(image: Uint8Array): void;
}

/** The largest buffer that any format may ask for: a log, or a compressed grain twice. */
const mostBytes = 33 * 2 ** 20;
const mostReadBytes = 256 * 1024;
const kinds = ['range', 'read-only', 'corrupt', 'unsupported', 'not-found', 'in-use', 'io', 'no-space'];

/** Bytes from `offset` on as they were. */
type Undo = readonly [number, Uint8Array];

/** One changed image. @returns what opening it came to: `opened` or the kind of the failure */
export async function fuzzOnce(target: FuzzTarget, seed: number): Promise<string> {
  const random = new Random(seed);
  const { image } = target;
  const undo: Undo[] = [];
  const remember = (offset: number, length: number): void => {
    undo.unshift([offset, image.slice(offset, offset + length)]);
  };
  const file = new ImageFile(image, 'fuzzed');
  try {
    for (let changes = 1 + random.below(4); changes > 0; changes--) {
      const [offset, length] = random.pick(target.places);
      remember(offset, length);
      change(image.subarray(offset, offset + length), random);
    }
    if (target.seal !== undefined && random.below(8) !== 0) {
      for (const [offset, length] of target.places) remember(offset, length);
      target.seal(image);
    }
    if (random.below(8) === 0) file.bytes = image.subarray(0, random.below(image.length));
    return await readAbout(target, file, random);
  } catch (error) {
    throw new Error(`${target.importer.name}, seed ${seed}: ${(error as Error).message}`, { cause: error });
  } finally {
    for (const [offset, bytes] of undo) image.set(bytes, offset);
  }
}

function change(bytes: Uint8Array, random: Random): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = random.below(bytes.length);
  const aligned = Math.max(0, Math.min(at - (at % 4), bytes.length - 8));
  const isLittle = random.below(2) === 0;
  switch (random.below(6)) {
    case 0:
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      return;
    case 1:
      bytes[at] = random.pick([0, 0xff, 0x7f, 0x80, 0x0a, 0x22, 0x2f, random.below(256)]);
      return;
    case 2:
      view.setUint32(aligned, interesting(random), isLittle);
      return;
    case 3:
      view.setBigUint64(aligned, (BigInt(interesting(random)) << 32n) | BigInt(interesting(random)), isLittle);
      return;
    case 4:
      view.setBigUint64(aligned, BigInt(interesting(random)), isLittle);
      return;
    default:
      bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
  }
}

function interesting(random: Random): number {
  const power = 2 ** random.below(32);
  return random.pick([
    0,
    1,
    0xffff_ffff,
    0xffff_fffe,
    0x7fff_ffff,
    power,
    power - 1,
    random.below(4096),
    random.uint32(),
  ]);
}

async function readAbout(target: FuzzTarget, file: ImageFile, random: Random): Promise<string> {
  const { importer, others = [] } = target;
  importer.probe(file.bytes.subarray(0, 512));
  const opened = await importer.open(file, imageFiles([file, ...others]), zlibCodecs);
  check(opened);
  if (opened.ok) {
    const disk = opened.value;
    assert.ok(Number.isSafeInteger(disk.sizeBytes) && disk.sizeBytes >= 0, `a size of ${disk.sizeBytes}`);
    for (let reads = 0; reads < 6; reads++) {
      const length = Math.min(random.below(mostReadBytes), disk.sizeBytes);
      const offset = random.pick([0, disk.sizeBytes - length, random.below(disk.sizeBytes - length + 1)]);
      check(await disk.read(offset, new Uint8Array(length)));
      const extent = await disk.extent(offset, disk.sizeBytes - offset);
      check(extent);
      if (extent.ok && offset < disk.sizeBytes) {
        assert.ok(extent.value.length > 0 && offset + extent.value.length <= disk.sizeBytes, 'a strange extent');
      }
    }
    check(await disk.close());
  }
  assert.ok(file.largestRead <= mostBytes, `it asked for ${file.largestRead} bytes at once`);
  return opened.ok ? 'opened' : opened.error.kind;
}

function check<T>(result: Result<T, DiskFailure>): void {
  if (result.ok) return;
  assert.ok(kinds.includes(result.error.kind), `the kind ${result.error.kind}`);
  assert.match(result.error.message, /^[^\n]+\.$/, 'a failure is one sentence');
}
