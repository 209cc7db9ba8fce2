/** Results side by side: where they differ, as far as it counts. */
import { Buffer } from 'node:buffer';
import { type Case, fillWindow, type Patch, type Results, type StateView } from './case.ts';
import { codeSize, fxField, hang, noFault, region, stateField } from './layout.ts';
import { type Leniency, leniencyOf } from './leniency.ts';
import type { Shape } from './shape.ts';

export interface Difference {
  /** 'RAX', 'RFLAGS', 'XMM3', 'memory 61000010' … */
  readonly where: string;
  readonly before: string;
  readonly expected: string;
  readonly actual: string;
}

export const registerNames = 'RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15'.split(' ');
const selectorNames = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;
const hex = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');

const flagNames: readonly (readonly [number, string])[] = [
  [0x1, 'CF'],
  [0x4, 'PF'],
  [0x10, 'AF'],
  [0x40, 'ZF'],
  [0x80, 'SF'],
  [0x100, 'TF'],
  [0x200, 'IF'],
  [0x400, 'DF'],
  [0x800, 'OF'],
  [0x4000, 'NT'],
  [0x4_0000, 'AC'],
  [0x20_0000, 'ID'],
];

export function flagText(flags: number): string {
  const names = flagNames.filter(([bit]) => flags & bit).map(([, name]) => name);
  const rest = flags & ~flagNames.reduce((all, [bit]) => all | bit, 2);
  return `[${names.join(' ')}]${rest === 0 ? '' : ` +${hex(rest, 1)}`}`;
}

export function faultText(state: StateView, withAddress = true): string {
  const { vector } = state;
  if (vector === noFault) return 'none';
  if (vector === hang) return 'does not end';
  const cr2 = vector === 14 && withAddress ? ` at ${hex(state.quad(stateField.cr2), 8)}` : '';
  return `vector ${vector}, error ${hex(state.error, 4)}${cr2}`;
}

class Comparison {
  readonly differences: Difference[] = [];
  readonly #before: StateView;
  readonly #expected: StateView;
  readonly #actual: StateView;

  constructor(before: StateView, expected: StateView, actual: StateView) {
    this.#before = before;
    this.#expected = expected;
    this.#actual = actual;
  }

  /** Notes a difference if `read` gives different values. */
  value(where: string, read: (state: StateView) => bigint | number, show: (value: bigint | number) => string): void {
    const expected = read(this.#expected);
    const actual = read(this.#actual);
    if (expected !== actual) this.add(where, show(read(this.#before)), show(expected), show(actual));
  }

  add(where: string, before: string, expected: string, actual: string): void {
    this.differences.push({ where, before, expected, actual });
  }

  general(leniency: Leniency, width: 32 | 64): void {
    for (const [i, name] of registerNames.entries()) {
      if ((leniency.gprs >> i) & 1) continue;
      this.value(
        name,
        (state) => BigInt.asUintN((leniency.low >> i) & 1 ? 32 : width, state.gpr(i)),
        (v) => hex(v, width / 4),
      );
    }
    this.value(
      'RIP',
      (state) => state.quad(stateField.rip),
      (v) => hex(v, 8),
    );
    const flags = (state: StateView): number => Number(state.quad(stateField.rflags)) & ~leniency.flags;
    this.value('RFLAGS', flags, (v) => flagText(Number(v)));
    for (const [i, name] of selectorNames.entries())
      this.value(
        name,
        (state) => state.selector(i),
        (v) => hex(v, 4),
      );
    this.value(
      'FS.base',
      (state) => state.quad(stateField.fsBase),
      (v) => hex(v, 16),
    );
    this.value(
      'GS.base',
      (state) => state.quad(stateField.gsBase),
      (v) => hex(v, 16),
    );
    const fault = (state: StateView): string => faultText(state, !leniency.faultAddress);
    if (fault(this.#expected) === fault(this.#actual)) return;
    this.add('fault', 'none', faultText(this.#expected), faultText(this.#actual));
  }

  #word(where: string, field: number, digits: number, mask = -1): void {
    const read = (state: StateView): number => {
      const at = state.at + stateField.fx + field;
      return (digits === 8 ? state.view.getUint32(at, true) : state.view.getUint16(at, true)) & mask;
    };
    this.value(where, read, (v) => hex(Number(v) >>> 0, digits));
  }

  /** x87 state, MMX registers included. */
  float(leniency: Leniency): void {
    this.#word('FCW', fxField.fcw, 4);
    this.#word('FSW', fxField.fsw, 4, ~leniency.fsw);
    this.#word('FTW', fxField.ftw, 2);
    this.#word('FOP', fxField.fop, 4);
    for (const [name, field] of Object.entries({ FIP: fxField.fip, FDP: fxField.fdp })) {
      this.value(
        name,
        (s) => s.quad(stateField.fx + field),
        (v) => hex(v, 16),
      );
    }
    const near = (a: bigint, b: bigint): boolean => ulpsApart(a, b) <= leniency.stUlps;
    for (let i = 0; i < 8; i++) this.#compareWide(`ST${i}`, fxField.st + 16 * i, 20, near);
  }

  vectors(leniency: Leniency): void {
    this.#word('MXCSR', fxField.mxcsr, 8);
    const same = (a: bigint, b: bigint): boolean => leniency.approximateLanes !== 0 && closeLanes(a, b);
    for (let i = 0; i < 16; i++) this.#compareWide(`XMM${i}`, fxField.xmm + 16 * i, 32, same);
  }

  #wide(field: number, state: StateView): bigint {
    return (state.quad(stateField.fx + field + 8) << 64n) | state.quad(stateField.fx + field);
  }

  #compareWide(where: string, field: number, digits: number, same: (a: bigint, b: bigint) => boolean): void {
    const expected = this.#wide(field, this.#expected);
    const actual = this.#wide(field, this.#actual);
    if (expected === actual || same(expected, actual)) return;
    this.add(where, hex(this.#wide(field, this.#before), digits), hex(expected, digits), hex(actual, digits));
  }

  memory(c: Case, expected: readonly Patch[], actual: readonly Patch[]): void {
    const before = new Uint8Array(region.data.size);
    fillWindow(before, c.patches);
    const windows = [expected, actual].map((changes) => {
      const window = before.slice();
      for (const { address, bytes } of changes) window.set(bytes, address - region.data.address);
      return window;
    });
    const [a, b] = windows as [Uint8Array, Uint8Array];
    const show = (bytes: Uint8Array, at: number): string => Buffer.from(bytes.subarray(at, at + 16)).toString('hex');
    for (let at = 0; at < before.length; at += 16) {
      const [x, y] = [show(a, at), show(b, at)];
      if (x !== y) this.add(`memory ${hex(region.data.address + at, 8)}`, show(before, at), x, y);
    }
  }
}

/** Distance of two 80-bit values in units of the last place, if their encodings are neighbours; otherwise infinite. */
function ulpsApart(a: bigint, b: bigint): number {
  // Sign and magnitude; adjacent values of one sign differ by 1 but for the explicit integer bit.
  if (a >> 79n !== b >> 79n) return Number.POSITIVE_INFINITY;
  const order = (value: bigint): bigint => (((value >> 64n) & 0x7fffn) << 63n) | (value & ((1n << 63n) - 1n));
  const distance = order(a) - order(b);
  return Number(distance < 0n ? -distance : distance);
}

const tiny = 2 ** -126 * (1 + 2 ** -10);

/** Both approximations of RCPPS or RSQRTPS: within twice 1.5 × 2^-12 of each other (SDM Vol. 2B "RCPPS"). */
function closeLanes(expected: bigint, actual: bigint): boolean {
  const lanes = new DataView(new ArrayBuffer(8));
  for (let shift = 0n; shift < 128n; shift += 32n) {
    lanes.setUint32(0, Number((expected >> shift) & 0xffff_ffffn));
    lanes.setUint32(4, Number((actual >> shift) & 0xffff_ffffn));
    const [x, y] = [lanes.getFloat32(0), lanes.getFloat32(4)];
    if (lanes.getUint32(0) === lanes.getUint32(4)) continue;
    // Around the smallest normal number a result may be flushed to zero or not.
    const areTiny = Math.abs(x) < tiny && Math.abs(y) < tiny && lanes.getInt8(0) >> 7 === lanes.getInt8(4) >> 7;
    if (!areTiny && !(Math.abs(x - y) <= Math.abs(x) * 3 * 2 ** -12)) return false;
  }
  return true;
}

/** 32-bit code neither sees nor defines the upper halves, before a change of mode or after it. */
function comparedWidth(c: Case, expected: StateView): 32 | 64 {
  return c.mode === 64 && codeSize(expected.selector(1)) === 64 ? 64 : 32;
}

/** Whether both results are the same to the last bit. */
export function sameRecord(expected: Results, actual: Results, index: number): boolean {
  const [from, to] = expected.range(index);
  const [from2, to2] = actual.range(index);
  return Buffer.compare(expected.bytes.subarray(from, to), actual.bytes.subarray(from2, to2)) === 0;
}

/** Where result `index` of `actual` differs from that of `expected`; empty if it does not, as far as it counts. */
export function compareResults(
  shape: Shape,
  c: Case,
  expected: Results,
  actual: Results,
  index: number,
): readonly Difference[] {
  const state = expected.state(index);
  const leniency = leniencyOf(shape, c, state);
  const comparison = new Comparison(c.state, state, actual.state(index));
  comparison.general(leniency, comparedWidth(c, state));
  if (!leniency.x87) comparison.float(leniency);
  comparison.vectors(leniency);
  if (!leniency.memory) comparison.memory(c, expected.changes(index), actual.changes(index));
  return comparison.differences;
}
