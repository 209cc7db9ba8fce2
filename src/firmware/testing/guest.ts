/** Guest RAM and kernel images made up for tests. */
import assert from 'node:assert/strict';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import type { BootErrorKind, BootRequest, BootResult, LoadedGuest } from '../boot-request.ts';
import { buildMemoryMap } from '../memory-map.ts';

export const mib = 1024 * 1024;

export function guestMemory(size: number): GuestMemory {
  const pages = Math.ceil(size / 65_536);
  return new GuestMemory(new webAssembly.Memory({ initial: pages, maximum: pages, shared: true }), size);
}

/** How much of the RAM holds garbage; filling all of it in every test takes too long. */
const garbageBytes = 4 * mib;

/** A request to boot `kernel` in a guest with `size` bytes of RAM, the first of which hold garbage. */
export function bootRequest(kernel: Uint8Array, size = 64 * mib, rest: Partial<BootRequest> = {}): BootRequest {
  const memory = guestMemory(size);
  memory.bytes.fill(0xa5, 0, Math.min(size, garbageBytes));
  return { memory, memoryMap: buildMemoryMap(memory), kernel, commandLine: '', rsdpAddress: 0, ...rest };
}

export function loaded(result: BootResult<LoadedGuest>): LoadedGuest {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

/** Checks the failure and that its message is a sentence that a person can act on. */
export function assertFails(result: BootResult<unknown>, kind: BootErrorKind, message: RegExp): void {
  assert.ok(!result.ok, 'should have failed');
  assert.equal(result.error.kind, kind, result.error.message);
  assert.match(result.error.message, message);
  assert.match(result.error.message, /^[A-Z].*\.$/);
}

/** The zero-terminated string at `address`. */
export function stringAt(memory: GuestMemory, address: number): string {
  let text = '';
  for (let at = address; memory.readU8(at) !== 0 && text.length < 10_000; at++) {
    text += String.fromCharCode(memory.readU8(at));
  }
  return text;
}

/** A deterministic stream of 32-bit numbers (xorshift). */
export function randomSource(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export const ascii = (text: string): Uint8Array => Uint8Array.from([...text].map((letter) => letter.charCodeAt(0)));

/** Writes little-endian fields: offset, size in bytes, value. */
export function put(
  bytes: Uint8Array,
  ...fields: readonly (readonly [number, 1 | 2 | 4 | 8, number | bigint])[]
): void {
  for (const [offset, size, value] of fields) {
    for (let index = 0; index < size; index++) {
      bytes[offset + index] = Number((BigInt(value) >> BigInt(index * 8)) & 0xffn);
    }
  }
}
