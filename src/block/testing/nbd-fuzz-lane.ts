/** A server that sends damaged bytes: requests fail or succeed, and all of them end once the connection does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Result } from '../../support/result.ts';
import { Random } from '../../support/testing/seeded-random.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { openNbdDisk } from '../nbd/nbd-disk.ts';
import { chunk, FakeNbdServer, uint32, uint64 } from './fake-nbd-server.ts';

const contentBytes = 65_536;

function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  const view = new DataView(bytes.buffer);
  switch (random.below(5)) {
    case 0:
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes, bytes.subarray(at)]);
    case 3:
      if (bytes.length >= 4)
        view.setUint32(Math.min(at - (at % 4), bytes.length - 4), random.pick([0, 1, 2 ** 31, 2 ** 32 - 1]));
      return bytes;
    default:
      bytes[at] = random.uint32();
      return bytes;
  }
}

async function fuzzOnce(seed: number): Promise<string> {
  const random = new Random(seed);
  const server = new FakeNbdServer(new Uint8Array(contentBytes), {
    hasStructuredReplies: random.below(4) !== 0,
    ...(random.below(3) === 0 ? { blockSizes: [1024, 4096, 8192] as const } : {}),
    change: (bytes) => (bytes.length > 0 && random.below(12) === 0 ? damage(bytes, random) : bytes),
    answer({ command, cookie, offset, length }) {
      if (command !== 0 || random.below(3) !== 0) return undefined;
      const hole = chunk(cookie, 2, Buffer.concat([uint64(offset), uint32(length - 512)]), false);
      return [hole, chunk(cookie, 1, Buffer.concat([uint64(offset + length - 512), Buffer.alloc(512, 1)]))];
    },
  });
  const opened = await settled(openNbdDisk('nbd://fuzz/', server, 'x'), server);
  check(opened);
  if (!opened.ok) return opened.error.kind;
  const disk = opened.value;
  assert.ok(Number.isSafeInteger(disk.sizeBytes) && disk.blockBytes >= 512);
  const size = Math.min(disk.sizeBytes, 2 ** 31);
  const requests = Array.from({ length: 8 }, () => {
    const length = Math.min(1024 + random.below(4096), size);
    const offset = random.below(size - length + 1);
    switch (random.below(5)) {
      case 0:
        return disk.write(offset, new Uint8Array(length));
      case 1:
        return disk.writeZeroes(offset, length, true);
      case 2:
        return disk.extent(offset, length);
      default:
        return disk.read(offset, new Uint8Array(length));
    }
  });
  const all = (async () => {
    for (const request of requests) check<unknown>(await request);
    return disk.close();
  })();
  check(await settled(all, server));
  return 'opened';
}

/** Waits as long as something happens; then the server, which has nothing more to say, goes. */
async function settled<T>(promise: Promise<T>, server: FakeNbdServer): Promise<T> {
  let isSettled = false;
  const settling = promise.finally(() => {
    isSettled = true;
  });
  for (let turns = 0; turns < 20 && !isSettled; turns++) await setImmediate();
  if (!isSettled) server.close();
  return settling;
}

function check<T>(result: Result<T, DiskFailure>): void {
  if (!result.ok) assert.match(result.error.message, /^[^\n]+\.$/, 'a failure is one sentence');
}

/** @param rounds connections; FUZZ_SEED=n in the environment has only that one */
export function defineNbdFuzzLane(rounds: number): void {
  test('damaged replies', { timeout: 20_000 + rounds * 20 }, async (t) => {
    const only = process.env.FUZZ_SEED;
    const seeds = only === undefined ? Array.from({ length: rounds }, (_, seed) => seed + 1) : [Number(only)];
    const outcomes: Record<string, number> = {};
    for (const seed of seeds) {
      const outcome = await fuzzOnce(seed).catch((error: Error) => {
        throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
      });
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    t.diagnostic(`seeds ${seeds[0]} to ${seeds.at(-1)}: ${JSON.stringify(outcomes)}; FUZZ_SEED=n repeats one`);
    assert.ok(only !== undefined || Object.keys(outcomes).length > 1);
  });
}
