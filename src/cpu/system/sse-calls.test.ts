import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SseOperation, sseOperations, sseShape } from '../emit/sse-operations.ts';
import { GuestFault } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { CpuState } from '../state/cpu-state.ts';
import { state } from '../state/layout.ts';
import { sseCalls } from './sse-calls.ts';

const masked = 0x1f80;
const osxmmexcpt = 0x400n;

class Caller {
  readonly state = new CpuState(new SharedArrayBuffer(0x1000));
  readonly #cpu = { state: this.state } as unknown as Processor;

  constructor(mxcsr = masked, cr4 = osxmmexcpt) {
    this.mxcsr = mxcsr;
    this.state.set64('cr4', cr4);
  }

  get mxcsr(): number {
    return this.state.view.getUint32(state.mxcsr, true);
  }

  set mxcsr(value: number) {
    this.state.view.setUint32(state.mxcsr, value, true);
  }

  /** Lanes a and b in, lanes of the result out. */
  call(operation: SseOperation, a: readonly number[], b: readonly number[], double = true, immediate = 0): number[] {
    const { view } = this.state;
    const bytes = double ? 8 : 4;
    for (const [base, lanes] of [
      [0, a],
      [16, b],
    ] as const) {
      for (const [n, lane] of lanes.entries()) {
        const at = state.vectorScratch + base + n * bytes;
        if (double) view.setFloat64(at, lane, true);
        else view.setFloat32(at, lane, true);
      }
    }
    this.state.setScratch(0, BigInt(sseOperations.indexOf(operation)));
    this.state.setScratch(1, BigInt(b.length | (double ? sseShape.double : 0)));
    this.state.setScratch(2, BigInt(immediate));
    sseCalls.sse(this.#cpu);
    return b.map((_, n) => {
      const at = state.vectorScratch + n * bytes;
      return double ? view.getFloat64(at, true) : view.getFloat32(at, true);
    });
  }

  faultOf(run: (caller: Caller) => void): number | undefined {
    try {
      run(this);
      return undefined;
    } catch (error) {
      assert.ok(error instanceof GuestFault);
      return error.vector;
    }
  }
}

test('flags accumulate in MXCSR', () => {
  const caller = new Caller();
  assert.deepEqual(caller.call('add', [1], [2]), [3]);
  assert.equal(caller.mxcsr, masked);
  caller.call('div', [1], [3]);
  assert.equal(caller.mxcsr, masked | 0x20);
  assert.deepEqual(caller.call('div', [1, -1], [0, 2]), [Infinity, -0.5]);
  assert.equal(caller.mxcsr, masked | 0x24);
});

test('MXCSR rounds, flushes and takes denormals for zeros', () => {
  assert.deepEqual(new Caller(masked | 0x4000).call('add', [1], [2 ** -60]), [1 + 2 ** -52]);
  assert.deepEqual(new Caller(masked | 0x8000).call('mul', [2 ** -600], [2 ** -430]), [0]);
  const caller = new Caller(masked | 0x40);
  assert.deepEqual(caller.call('add', [2 ** -1060], [0]), [0]);
  assert.equal(caller.mxcsr, masked | 0x40);
});

test('an unmasked exception is #XM, #UD unless CR4.OSXMMEXCPT; flags are set, the result is not', () => {
  const run = (caller: Caller): unknown => caller.call('div', [8], [0]);
  const caller = new Caller(masked & ~0x200);
  assert.equal(caller.faultOf(run), 19);
  assert.equal(caller.mxcsr, (masked & ~0x200) | 4);
  assert.equal(caller.state.view.getFloat64(state.vectorScratch, true), 8);
  assert.equal(new Caller(masked & ~0x200, 0n).faultOf(run), 6);
});

test('an unmasked exception of one lane before computing hides what computing would raise in others', () => {
  const caller = new Caller(masked & ~0x200);
  assert.equal(
    caller.faultOf((c) => c.call('div', [1, 1], [0, 3])),
    19,
  );
  assert.equal(caller.mxcsr, (masked & ~0x200) | 4);
});

test('ADDSUB subtracts the even lanes; a conversion clears the lanes it does not write', () => {
  assert.deepEqual(new Caller().call('addsub', [1, 2, 3, 4], [10, 20, 30, 40], false), [-9, 22, -27, 44]);
  const caller = new Caller();
  caller.call('to-int32', [9, 9], [1.5, -1.5], true, 1);
  const { view } = caller.state;
  assert.deepEqual(
    [0, 4, 8, 12].map((at) => view.getInt32(state.vectorScratch + at, true)),
    [1, -1, 0, 0],
  );
});

test('comparisons tell the relation, and signal NaNs', () => {
  const relationOf = (operation: SseOperation, a: number, b: number): [number, number] => {
    const caller = new Caller();
    caller.call(operation, [a], [b]);
    return [caller.state.scratch32(0), caller.mxcsr & 0x3f];
  };
  assert.deepEqual(relationOf('ucomi', 1, 2), [0, 0]);
  assert.deepEqual(relationOf('comi', 2, 2), [1, 0]);
  assert.deepEqual(relationOf('ucomi', 3, Number.NaN), [3, 0]);
  assert.deepEqual(relationOf('comi', 3, Number.NaN), [3, 1]);
  assert.deepEqual(relationOf('ucomi', 2 ** -1060, -1), [2, 2]);
});

test('dot products raise what their products and sums raise', () => {
  const caller = new Caller();
  assert.deepEqual(caller.call('dot', [1, 2, 3, 4], [5, 6, 7, 8], false, 0x73), [38, 38, 0, 0]);
  assert.equal(caller.mxcsr, masked);
  caller.call('dot', [1e38, 0, 0, 0], [1e38, 0, 0, 0], false, 0xff);
  assert.equal(caller.mxcsr, masked | 0x28);
});
