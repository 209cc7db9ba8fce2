import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockKeys, codeKeySpace } from '../state/block-key.ts';
import { codeTlb, engine, vcpuMemoryPages } from '../state/layout.ts';
import { CodeTlb } from './code-tlb.ts';

const key = 3;
const page = 0x7f00_0000_3000;
/** Takes the same entry. */
const rival = page + codeTlb.entries * 4096;

function create(): { tlb: CodeTlb; moves: (change: () => void) => boolean } {
  const buffer = new SharedArrayBuffer(vcpuMemoryPages << 16);
  const words = new Int32Array(buffer);
  const mapping = (): number => words[engine.mapping / 4] as number;
  const moves = (change: () => void): boolean => {
    const before = mapping();
    change();
    return mapping() !== before;
  };
  return { tlb: new CodeTlb(buffer), moves };
}

test('INVLPG of a page that holds no code leaves alone what is known of code', () => {
  const { tlb, moves } = create();
  tlb.enter(page, key, 0x5000, false);
  assert.equal(
    moves(() => tlb.flushPage(page + 4096)),
    false,
  );
  assert.equal(
    moves(() => tlb.flushPage(rival)),
    false,
  );
  assert.equal(tlb.find(page, key), 0x5000);
});

test('INVLPG of a page of code makes everybody look again, also after the page lost its entry to another', () => {
  for (const linear of [page, -0x7f_f000, -4096]) {
    const { tlb, moves } = create();
    tlb.enter(linear, key, 0x5000, true);
    assert.ok(moves(() => tlb.flushPage(linear + 0x123)));
    assert.equal(tlb.find(linear, key), -1);
    tlb.enter(linear, key, 0x5000, true);
    tlb.enter(linear + codeTlb.entries * 4096, key, 0x9000, true);
    assert.ok(moves(() => tlb.flushPage(linear)));
    assert.equal(tlb.find(linear + codeTlb.entries * 4096, key), 0x9000);
  }
});

test('however many pages lose their entries, they are all looked up again in the end', () => {
  const { tlb, moves } = create();
  for (let n = 0; n < 10_000; n++)
    tlb.enter(page + (n % 700) * 4096 + (n >> 9) * codeTlb.entries * 4096, key, 0, false);
  let missed = 0;
  for (let n = 0; n < 700; n++) {
    const linear = page + n * 4096;
    tlb.enter(linear, key, 0, false);
    tlb.enter(linear + codeTlb.entries * 4096, key, 0, false);
    if (!moves(() => tlb.flushPage(linear))) missed++;
  }
  assert.equal(missed, 0);
});

test('user code is known in its own address space, and INVLPG forgets it in all: it may be global', () => {
  const { tlb, moves } = create();
  const user = blockKeys.user64;
  for (let number = 0; number < codeKeySpace.numbers; number++) {
    tlb.space = number;
    assert.equal(tlb.find(page, user), -1);
    tlb.enter(page, user, 0x5000 + number * 4096, true);
  }
  for (let number = codeKeySpace.numbers - 8; number < codeKeySpace.numbers; number++) {
    tlb.space = number;
    assert.equal(tlb.find(page, user), 0x5000 + number * 4096);
  }
  tlb.enter(page, blockKeys.kernel64, 0x5000, true);
  assert.ok(moves(() => tlb.flushPage(page)));
  for (let number = 0; number < codeKeySpace.numbers; number++) {
    tlb.space = number;
    assert.equal(tlb.find(page, user), -1);
  }
  assert.equal(tlb.find(page, blockKeys.kernel64), -1);
});
