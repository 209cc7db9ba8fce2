/** Code that runs up to the very end of a page goes on in the next one, whatever is known of its own page's beginning. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cr0 } from '../spec/x86/registers.ts';
import { segmentIndex } from './state/layout.ts';
import { bareMachine, enterLongMode } from './testing/bare-machine.ts';
import { place } from './testing/run-code.ts';

const rcx = 1;
const rdx = 2;
const pageSize = 4096;
const incCx = [0xff, 0xc1];
const incDx = [0xff, 0xc2];
const hlt = 0xf4;

/** Eight increments of DX end at the page's end; its beginning, which jumps to them, has run before. */
function code(jump: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(pageSize + 1);
  bytes.set([...incCx, ...jump], 0);
  bytes.set(Array.from({ length: 8 }, () => incDx).flat(), pageSize - 16);
  bytes[pageSize] = hlt;
  return bytes;
}

const near16 = pageSize - 16 - 5;
const near32 = pageSize - 16 - 7;
const jump16 = [0xe9, near16 & 0xff, near16 >> 8];
const jump32 = [0xe9, near32 & 0xff, near32 >> 8, 0, 0];

for (const [mode, attributes, jump] of [
  ['16-bit', 0x009b, jump16],
  ['32-bit', 0xc09b, jump32],
  ['64-bit', 0xa09b, jump32],
] as const) {
  test(`in ${mode} code`, () => {
    const machine = bareMachine(4);
    const { vcpu, memory } = machine;
    enterLongMode(machine, 0);
    if (mode !== '64-bit') {
      vcpu.state.set64('efer', 0n);
      vcpu.state.set64('cr4', 0n);
      vcpu.state.set64('cr0', BigInt(cr0.pe | cr0.et));
    }
    const base = mode === '64-bit' ? 0n : BigInt(place.code);
    vcpu.state.setSegment(segmentIndex.cs, { selector: 8, base, limit: 0xffff_ffff, attributes });
    vcpu.state.rip = BigInt(place.code) - base;
    for (const register of [rcx, rdx]) vcpu.state.setGpr(register, 0n);
    memory.write(place.code, code(jump));
    vcpu.flushTlb('all');
    vcpu.modeChanged();
    assert.equal(vcpu.run(1000), 'halt');
    assert.deepEqual([vcpu.state.gpr(rcx), vcpu.state.gpr(rdx)], [1n, 8n]);
  });
}
