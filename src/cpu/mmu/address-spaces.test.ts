import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockKeys, codeKeySpace } from '../state/block-key.ts';
import { engine, vcpuMemoryPages } from '../state/layout.ts';
import { AddressSpaces } from './address-spaces.ts';
import { CodeTlb } from './code-tlb.ts';
import { Tlb } from './tlb.ts';

const page = 0x40_0000;
const kernelPage = -0x7fff_0000;

function create() {
  const buffer = new SharedArrayBuffer(vcpuMemoryPages << 16);
  const words = new Int32Array(buffer);
  const codeTlb = new CodeTlb(buffer);
  const spaces = new AddressSpaces(buffer, new Tlb(buffer), codeTlb);
  return { codeTlb, spaces, userKey: () => words[engine.userKey / 4] as number };
}

test('an address space that is flushed has another number, so that its code is looked up again', () => {
  const { codeTlb, spaces, userKey } = create();
  spaces.enter(1, false);
  codeTlb.enter(page, blockKeys.user64, 0x5000, false);
  const before = userKey();
  spaces.enter(2, false);
  spaces.enter(1, true);
  assert.equal(userKey(), before);
  assert.equal(codeTlb.find(page, blockKeys.user64), 0x5000);
  spaces.enter(1, false);
  assert.notEqual(userKey(), before);
  assert.equal(codeTlb.find(page, blockKeys.user64), -1);
});

test('one in which no user code ran may be flushed for ever: numbers do not run out, and nothing else is forgotten', () => {
  const { codeTlb, spaces } = create();
  spaces.enter(1, false);
  codeTlb.enter(page, blockKeys.user64, 0x5000, false);
  codeTlb.enter(kernelPage, blockKeys.kernel64, 0x9000, true);
  for (let n = 0; n < 2 * codeKeySpace.numbers; n++) {
    spaces.enter(2, false);
    spaces.enter(1, true);
  }
  assert.equal(codeTlb.find(page, blockKeys.user64), 0x5000);
  assert.equal(codeTlb.find(kernelPage, blockKeys.kernel64), 0x9000);
});

test('when numbers run out, all code is looked up again', () => {
  const { codeTlb, spaces } = create();
  codeTlb.enter(kernelPage, blockKeys.kernel64, 0x9000, true);
  for (let n = 0; n < codeKeySpace.numbers; n++) {
    spaces.enter(1, false);
    assert.equal(codeTlb.find(page, blockKeys.user64), -1);
    codeTlb.enter(page, blockKeys.user64, n * 4096, false);
  }
  assert.equal(codeTlb.find(kernelPage, blockKeys.kernel64), -1);
});
