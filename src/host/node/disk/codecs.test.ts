import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf, value } from '../../../support/testing/expect.ts';
import { nodeCodecs } from './codecs.ts';

const cluster = Uint8Array.from({ length: 65536 }, (_, i) => ((i * i) >> 5) & 0xff);
const kinds = [
  ['deflate', nodeCodecs.deflate, nodeCodecs.inflate],
  ['zstd', nodeCodecs.zstdCompress, nodeCodecs.zstdDecompress],
] as const;

for (const [name, compress, decompress] of kinds) {
  test(`${name}: a cluster comes back, whatever follows its data`, async () => {
    const packed = await compress(cluster);
    assert.ok(packed.length < cluster.length);
    const junk = new Uint8Array(511).fill(0xa5);
    for (const tail of [new Uint8Array(0), new Uint8Array(300), junk, packed]) {
      const bytes = new Uint8Array(packed.length + tail.length);
      bytes.set(packed);
      bytes.set(tail, packed.length);
      assert.deepEqual(value(await decompress(bytes, cluster.length)), Buffer.from(cluster));
    }
  });

  test(`${name}: what is no cluster is corrupt`, async () => {
    const packed = await compress(cluster);
    const wrong: [Uint8Array, number][] = [
      [packed, cluster.length - 1],
      [packed, cluster.length + 1],
      [packed.subarray(0, packed.length >> 1), cluster.length],
      [packed.subarray(0, 6), cluster.length],
      [new Uint8Array(0), cluster.length],
      [new Uint8Array(512).fill(0xff), cluster.length],
      [await compress(new Uint8Array(64 << 20)), cluster.length],
    ];
    for (const [bytes, length] of wrong) assert.equal(kindOf(await decompress(bytes, length)), 'corrupt');
    for (let at = 0; at < Math.min(packed.length, 40); at++) {
      const broken = packed.slice();
      broken[at] = (broken[at] as number) ^ 0x55;
      const result = await decompress(broken, cluster.length);
      assert.ok(result.ok ? result.value.length === cluster.length : result.error.kind === 'corrupt');
    }
  });
}
