/** Reading a disk in all the ways that its users do. */
import assert from 'node:assert/strict';
import type { Failure, Result } from '../../support/result.ts';
import { Random } from '../../support/testing/seeded-random.ts';
import type { Disk } from '../disk.ts';

/** The value of what must have succeeded. */
export function unwrap<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

/** The failure of what must have failed. */
export function failureOf<T>(result: Result<T>): Failure {
  assert.ok(!result.ok, 'it should have failed');
  return result.error;
}

/** Compares as a whole, in pieces at random places, many at once, and with what `extent` says of every byte. */
export async function assertReads(disk: Disk, content: Uint8Array, seed: number): Promise<void> {
  assert.equal(disk.sizeBytes, content.length);
  const whole = new Uint8Array(content.length);
  unwrap(await disk.read(0, whole));
  assert.ok(Buffer.from(whole).equals(content), 'the content read as a whole differs');
  const random = new Random(seed);
  const pieces = Array.from({ length: 200 }, async () => {
    const offset = random.below(content.length);
    const piece = new Uint8Array(Math.min(random.below(200_000), content.length - offset)).fill(0xa5);
    unwrap(await disk.read(offset, piece));
    assert.ok(
      Buffer.from(piece).equals(content.subarray(offset, offset + piece.length)),
      `it differs from ${offset} on`,
    );
  });
  await Promise.all(pieces);
  await assertExtents(disk, content);
}

async function assertExtents(disk: Disk, content: Uint8Array): Promise<void> {
  const zeroes = Buffer.alloc(content.length);
  for (let at = 0; at < content.length; ) {
    const extent = unwrap(await disk.extent(at, content.length - at));
    assert.ok(extent.length > 0 && at + extent.length <= content.length);
    if (extent.kind !== 'data') {
      const empty = zeroes.subarray(0, extent.length).equals(content.subarray(at, at + extent.length));
      assert.ok(empty, `${at} to ${at + extent.length} is ${extent.kind}, but has data`);
    }
    at += extent.length;
  }
}

/** Bytes of the disk that `extent` calls data. */
export async function dataBytes(disk: Disk): Promise<number> {
  let bytes = 0;
  for (let at = 0; at < disk.sizeBytes; ) {
    const extent = unwrap(await disk.extent(at, disk.sizeBytes - at));
    if (extent.kind === 'data') bytes += extent.length;
    at += extent.length;
  }
  return bytes;
}
