import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, FrameDecoder } from './frame-stream.ts';

function decoder() {
  const frames: number[][] = [];
  return { frames, take: (bytes: Uint8Array) => new FrameDecoder((frame) => frames.push([...frame])).take(bytes) };
}

const frames = [14, 15, 1514, 60, 69_632].map((length, n) => Uint8Array.from({ length }, (_, i) => (i * 5 + n) & 0xff));

function stream(): Uint8Array {
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + 4 + frame.length, 0));
  frames.reduce((at, frame) => encodeFrame(frame, bytes, at), 0);
  return bytes;
}

test('the length comes first, big-endian', () => {
  const bytes = new Uint8Array(10);
  assert.equal(encodeFrame(Uint8Array.of(1, 2, 3), bytes, 1), 8);
  assert.deepEqual([...bytes], [0, 0, 0, 0, 3, 1, 2, 3, 0, 0]);
});

test('frames come out whole, wherever the stream is cut', () => {
  for (const size of [1, 2, 3, 5, 7, 64, 1500, 4096, 200_000]) {
    const out: Uint8Array[] = [];
    const decode = new FrameDecoder((frame) => out.push(frame.slice()));
    const bytes = stream();
    for (let at = 0; at < bytes.length; at += size) assert.equal(decode.take(bytes.subarray(at, at + size)), true);
    assert.deepEqual(out, frames, `pieces of ${size}`);
  }
});

test('an impossible length ends it', () => {
  for (const bytes of [
    [0xff, 0xff, 0xff, 0xff],
    [0, 1, 0x10, 1, 9, 9],
  ]) {
    assert.equal(decoder().take(Uint8Array.from(bytes)), false);
  }
  const large = new Uint8Array(100_000);
  large.set([0, 1, 0x20, 0]);
  assert.equal(decoder().take(large), false, 'also where all of it is there');
});

test('what is too short for a frame is skipped', () => {
  const { frames: out, take } = decoder();
  assert.equal(take(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 14, ...new Uint8Array(14).fill(3))), true);
  assert.deepEqual(out, [new Array(14).fill(3)]);
});
