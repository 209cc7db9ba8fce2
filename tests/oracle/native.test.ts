import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseFlags, CaseBuilder } from './builder.ts';
import { CaseBatch, type Patch, type StateView } from './case.ts';
import { basePattern, fxField, hang, noFault, region, selector, stateField } from './layout.ts';
import { openNative } from './native.ts';

const opened = openNative();
const data = region.data.address;
const guard = BigInt(data + region.data.size);
const [RAX, RCX, RDX, RBX, RSP, RSI, RDI] = [0, 1, 2, 3, 4, 6, 7] as const;
const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;

interface Outcome {
  readonly state: StateView;
  readonly changes: Patch[];
}

function run(code: number[], set: (c: CaseBuilder) => void): Outcome {
  assert.ok(opened.ok);
  const builder = new CaseBuilder();
  builder.code = Uint8Array.from(code);
  set(builder);
  const batch = new CaseBatch();
  builder.appendTo(batch);
  const results = opened.native.execute(batch);
  assert.equal(results.count, 1);
  return { state: results.state(0), changes: results.changes(0) };
}

const reason = opened.ok ? false : opened.reason;
const start = BigInt(region.code.address + 0x8000);

/** A test of the harness itself; it needs the hardware. */
function native(name: string, body: () => void): void {
  test(name, { skip: reason }, body);
}

const statusFlags = (state: StateView): number => Number(state.quad(stateField.rflags)) & ~baseFlags;

native('ADD of the largest positive byte and 1 overflows', () => {
  const { state } = run([0x00, 0xd8], (c) => {
    c.gpr[RAX] = 0x11_7fn;
    c.gpr[RBX] = 1n;
    c.flags |= CF;
  });
  assert.equal(state.gpr(RAX), 0x11_80n);
  assert.equal(statusFlags(state), OF | SF | AF);
  assert.equal(state.vector, noFault);
  assert.equal(state.quad(stateField.rip), start + 2n);
});

native('ADC carries through 64 bits', () => {
  const { state } = run([0x48, 0x11, 0xd8], (c) => {
    c.gpr[RAX] = (1n << 64n) - 1n;
    c.flags |= CF;
  });
  assert.equal(state.gpr(RAX), 0n);
  assert.equal(statusFlags(state), CF | ZF | AF | PF);
});

native('DIV by zero is #DE at the instruction, registers untouched', () => {
  const { state } = run([0xf7, 0xf3], (c) => {
    c.gpr[RAX] = 7n;
    c.gpr[RDX] = 9n;
  });
  assert.equal(state.vector, 0);
  assert.equal(state.quad(stateField.rip), start);
  assert.equal(state.gpr(RAX), 7n);
  assert.equal(state.gpr(RDX), 9n);
});

native('PUSH below the window is a write #PF of user code to a page not present', () => {
  const { state, changes } = run([0x50], (c) => {
    c.gpr[RSP] = BigInt(data);
  });
  assert.deepEqual([state.vector, state.error, state.quad(stateField.cr2)], [14, 6, BigInt(data - 8)]);
  assert.equal(state.gpr(RSP), BigInt(data));
  assert.deepEqual(changes, []);
});

native('PUSH changes the window', () => {
  const { state, changes } = run([0x50], (c) => {
    c.gpr[RSP] = BigInt(data + 0x100);
    c.gpr[RAX] = 0x0807060504030201n;
  });
  assert.equal(state.gpr(RSP), BigInt(data + 0xf8));
  assert.equal(changes.length, 1);
  assert.equal(changes[0]?.address, data + 0xf8);
  assert.deepEqual(Array.from(changes[0]?.bytes ?? []), [1, 2, 3, 4, 5, 6, 7, 8]);
});

native('MOVAPS from a misaligned address is #GP(0)', () => {
  const { state } = run([0x0f, 0x28, 0x03], (c) => {
    c.gpr[RBX] = BigInt(data + 8);
  });
  assert.deepEqual([state.vector, state.error], [13, 0]);
});

native('a read across the end of the window faults at the guard page', () => {
  const { state } = run([0x48, 0x8b, 0x03], (c) => {
    c.gpr[RBX] = guard - 3n;
  });
  assert.deepEqual([state.vector, state.error, state.quad(stateField.cr2)], [14, 4, guard]);
});

native('a write to the read-only page is a protection #PF', () => {
  const { state } = run([0x88, 0x03], (c) => {
    c.gpr[RBX] = BigInt(region.readOnly.address + 5);
  });
  assert.deepEqual([state.vector, state.error], [14, 7]);
  assert.equal(state.quad(stateField.cr2), BigInt(region.readOnly.address + 5));
});

native('a non-canonical address is #GP(0), #SS(0) by the stack', () => {
  const far = 0x8000_0000_0000n;
  const byData = run([0x8a, 0x03], (c) => {
    c.gpr[RBX] = far;
  });
  assert.deepEqual([byData.state.vector, byData.state.error], [13, 0]);
  const byStack = run([0x58], (c) => {
    c.gpr[RSP] = far;
  });
  assert.deepEqual([byStack.state.vector, byStack.state.error], [12, 0]);
});

native('memory holds the base pattern and the patches', () => {
  const { state } = run([0x48, 0x8b, 0x03], (c) => {
    c.gpr[RBX] = BigInt(data + 16);
    c.patch(data + 20, Uint8Array.of(0xaa, 0xbb));
  });
  const expected = basePattern().slice(16, 24);
  expected.set([0xaa, 0xbb], 4);
  assert.equal(state.gpr(RAX), new DataView(expected.buffer).getBigUint64(0, true));
});

native('REP MOVSB stops at the guard page with what is left in RCX', () => {
  const { state, changes } = run([0xf3, 0xa4], (c) => {
    c.gpr[RCX] = 10n;
    c.gpr[RSI] = BigInt(data);
    c.gpr[RDI] = guard - 4n;
    c.patch(data, Uint8Array.of(1, 2, 3, 4, 5));
    c.patch(guard - 4n, Uint8Array.of(0, 0, 0, 0));
  });
  assert.deepEqual([state.vector, state.error], [14, 6]);
  assert.deepEqual([state.gpr(RCX), state.gpr(RSI), state.gpr(RDI)], [6n, BigInt(data + 4), guard]);
  assert.equal(state.quad(stateField.rip), start);
  assert.deepEqual(Array.from(changes[0]?.bytes ?? []).slice(4), [1, 2, 3, 4]);
});

native('a jump lands wherever it goes, mapped or not', () => {
  const near = run([0xeb, 0x40], (c) => {
    c.quickExit = false;
  });
  assert.deepEqual([near.state.vector, near.state.quad(stateField.rip)], [noFault, start + 0x42n]);
  const far = run([0xff, 0xe0], (c) => {
    c.quickExit = false;
    c.gpr[RAX] = 0x7000_0000n;
  });
  assert.deepEqual([far.state.vector, far.state.quad(stateField.rip)], [noFault, 0x7000_0000n]);
  const impossible = run([0xff, 0xe0], (c) => {
    c.quickExit = false;
    c.gpr[RAX] = 0x8000_0000_0000n;
  });
  assert.deepEqual([impossible.state.vector, impossible.state.quad(stateField.rip)], [13, start]);
});

native('an instruction that runs off the mapped code is a fetch #PF', () => {
  const end = region.code.address + region.code.size;
  const { state } = run([0x48, 0x89, 0xd8], (c) => {
    c.rip = end - 2;
  });
  assert.deepEqual([state.vector, state.error, state.quad(stateField.cr2)], [14, 0x14, BigInt(end)]);
  assert.equal(state.quad(stateField.rip), BigInt(end - 2));
});

native('an endless loop is reported as such', () => {
  const { state } = run([0xeb, 0xfe], (c) => {
    c.quickExit = false;
  });
  assert.equal(state.vector, hang);
});

native('UD2, INT3 and POPF with TF', () => {
  assert.equal(run([0x0f, 0x0b], () => {}).state.vector, 6);
  const int3 = run([0xcc], () => {});
  assert.deepEqual([int3.state.vector, int3.state.quad(stateField.rip)], [3, start + 1n]);
  const popf = run([0x9d], (c) => {
    c.quickExit = false;
    c.gpr[RSP] = BigInt(data);
    c.patch(data, Uint8Array.of(0x41, 0x01, 0, 0, 0, 0, 0, 0));
  });
  assert.equal(popf.state.vector, noFault);
  assert.equal(popf.state.quad(stateField.rflags), BigInt(baseFlags | 0x141));
});

native('32-bit code: AAA, and PUSH ES', () => {
  const aaa = run([0x37], (c) => {
    c.selectors[1] = selector.code32;
    c.gpr[RAX] = 0x0an;
  });
  assert.equal(aaa.state.gpr(RAX), 0x100n);
  assert.equal(statusFlags(aaa.state) & (CF | AF), CF | AF);
  const push = run([0x06], (c) => {
    c.selectors[1] = selector.code32;
    c.gpr[RSP] = BigInt(data + 8);
  });
  assert.equal(push.state.gpr(RSP), BigInt(data + 4));
});

native('16-bit code: addressing by BX+SI, segment bases, limits', () => {
  const set = (c: CaseBuilder): void => {
    c.selectors.set([selector.data16Middle, selector.code16, selector.data16Top, selector.data16Top, 0, 0]);
    c.rip = 0x8000;
    c.gpr[RBX] = 0xe000n;
    c.gpr[RSI] = 0x10n;
  };
  const inside = run([0x8b, 0x00], (c) => {
    set(c);
    c.patch(data + 0x10, Uint8Array.of(0x34, 0x12));
  });
  assert.deepEqual([inside.state.vector, inside.state.gpr(RAX)], [noFault, 0x1234n]);
  assert.equal(inside.state.quad(stateField.rip), 0x8002n);
  const atLimit = run([0x8b, 0x00], (c) => {
    set(c);
    c.gpr[RSI] = 0x1fffn;
  });
  assert.deepEqual([atLimit.state.vector, atLimit.state.error], [13, 0]);
});

native('x87 and MMX state comes back', () => {
  const { state } = run([0xd9, 0xe8], () => {});
  const fx = new DataView(state.fx.buffer, state.fx.byteOffset);
  assert.equal(fx.getUint16(fxField.fsw, true) >> 11, 7);
  assert.equal(fx.getUint8(fxField.ftw), 0x80);
  assert.equal(fx.getBigUint64(fxField.st, true), 1n << 63n);
  assert.equal(fx.getUint16(fxField.st + 8, true), 0x3fff);
});

native('an unmasked SSE exception is #XM, an unmasked x87 one #MF', () => {
  const sse = run([0xf3, 0x0f, 0x5e, 0xc0], (c) => {
    c.view.setUint32(stateField.fx + fxField.mxcsr, 0x1d80 & ~0x80, true);
  });
  assert.equal(sse.state.vector, 19);
  const x87 = run([0xd9, 0xfa], (c) => {
    c.setFx(fxField.fcw, 0x37e);
    c.setFx(fxField.fsw, 0x8081);
  });
  assert.equal(x87.state.vector, 16);
});
