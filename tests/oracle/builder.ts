/** A case under construction: registers as typed arrays, so that generating many is cheap. */
import type { CaseBatch, Patch } from './case.ts';
import { codeSize, fxField, region, segmentBase, selector, stateField } from './layout.ts';

/** EFLAGS as user code of Linux has them: bit 1 and IF. */
export const baseFlags = 0x202;

export class CaseBuilder {
  readonly bytes = new Uint8Array(stateField.size);
  readonly view = new DataView(this.bytes.buffer);
  /** Low and high halves of the 16 registers: `gpr32[2 * r]`, `gpr32[2 * r + 1]`. */
  readonly gpr32 = new Uint32Array(this.bytes.buffer, stateField.gpr, 32);
  readonly gpr = new BigUint64Array(this.bytes.buffer, stateField.gpr, 16);
  readonly selectors = new Uint16Array(this.bytes.buffer, stateField.selectors, 6);
  readonly fx = new Uint8Array(this.bytes.buffer, stateField.fx, 512);
  code: Uint8Array = new Uint8Array(0);
  quickExit = true;
  patches: Patch[] = [];

  constructor() {
    this.selectors.set([selector.data, selector.code64, selector.data, selector.data, 0, 0]);
    this.rip = region.code.address + 0x8000;
    this.flags = baseFlags;
    this.setFx(fxField.fcw, 0x37f);
    this.view.setUint32(stateField.fx + fxField.mxcsr, 0x1f80, true);
  }

  get mode(): 16 | 32 | 64 {
    return codeSize(this.selectors[1] ?? 0);
  }

  get rip(): number {
    return this.view.getUint32(stateField.rip, true);
  }

  /** Offset in CS. */
  set rip(value: number) {
    this.view.setUint32(stateField.rip, value, true);
  }

  get flags(): number {
    return this.view.getUint32(stateField.rflags, true);
  }

  set flags(value: number) {
    this.view.setUint32(stateField.rflags, value, true);
  }

  /** Sets a 16-bit field of the FXSAVE area. */
  setFx(field: number, value: number): void {
    this.view.setUint16(stateField.fx + field, value, true);
  }

  getFx(field: number): number {
    return this.view.getUint16(stateField.fx + field, true);
  }

  /** Base address of a segment, by its register number, in the case's mode. */
  base(segment: number): bigint {
    const value = this.selectors[segment] ?? 0;
    if (segment >= 4 && value < 4)
      return this.view.getBigUint64(segment === 4 ? stateField.fsBase : stateField.gsBase, true);
    return this.mode === 64 && segment < 4 ? 0n : BigInt(segmentBase(value));
  }

  /** Puts bytes into the window; what lies outside it is left out. */
  patch(address: bigint | number, bytes: Uint8Array): void {
    const { address: start, size } = region.data;
    const from = Number(BigInt.asUintN(64, BigInt(address)));
    const first = Math.max(from, start);
    const end = Math.min(from + bytes.length, start + size);
    if (first < end) this.patches.push({ address: first, bytes: bytes.slice(first - from, end - from) });
  }

  appendTo(batch: CaseBatch): void {
    batch.append(this.bytes, this.code, this.quickExit, this.patches);
  }
}
