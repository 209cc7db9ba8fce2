/** Typed access to the x87 registers in the vCPU's state block. SDM Vol. 1 8.1. */
import { floatException } from '../../spec/x86/floating-point.ts';
import { mxcsr } from '../../spec/x86/mxcsr.ts';
import { x87Control, x87Reset, x87Status } from '../../spec/x86/x87.ts';
import type { F80 } from '../softfloat/format.ts';
import { state } from './layout.ts';

/** State address of a physical register R0–R7. */
export const physicalRegister = (number: number): number => state.fpr + (number & 7) * 16;

export class FpuRegisters {
  readonly view: DataView;

  constructor(view: DataView) {
    this.view = view;
  }

  get fcw(): number {
    return this.view.getUint16(state.fcw, true);
  }

  set fcw(value: number) {
    this.view.setUint32(state.fcw, value & 0xffff, true);
  }

  /** FLDCW: FCW from an image, and what it does to the pending exceptions of FSW. */
  loadControl(image: number): void {
    this.fcw = (image & x87Control.writable) | x87Control.fixedOnes;
    this.fsw = summarized(this.fsw, this.fcw);
  }

  get fsw(): number {
    return this.view.getUint16(state.fsw, true);
  }

  set fsw(value: number) {
    this.view.setUint32(state.fsw, value & 0xffff, true);
  }

  /** One bit per physical register: 1 = not empty. */
  get valid(): number {
    return this.view.getUint8(state.ftwValid);
  }

  set valid(value: number) {
    this.view.setUint32(state.ftwValid, value & 0xff, true);
  }

  /** Last opcode of an instruction that raised an unmasked exception, 11 bits. */
  get fop(): number {
    return this.view.getUint16(state.fop, true);
  }

  set fop(value: number) {
    this.view.setUint32(state.fop, value & x87Status.fopMask, true);
  }

  /** Offset of the last x87 instruction that was no control instruction. */
  get fip(): bigint {
    return this.view.getBigUint64(state.fip, true);
  }

  set fip(value: bigint) {
    this.view.setBigUint64(state.fip, BigInt.asUintN(64, value), true);
  }

  /** Offset of the last memory operand of an instruction that raised an unmasked exception. */
  get fdp(): bigint {
    return this.view.getBigUint64(state.fdp, true);
  }

  set fdp(value: bigint) {
    this.view.setBigUint64(state.fdp, BigInt.asUintN(64, value), true);
  }

  /** The value of a physical register. */
  read(number: number): F80 {
    const at = physicalRegister(number);
    return { significand: this.view.getBigUint64(at, true), signExponent: this.view.getUint16(at + 8, true) };
  }

  write(number: number, value: F80): void {
    const at = physicalRegister(number);
    this.view.setBigUint64(at, value.significand, true);
    this.view.setUint16(at + 8, value.signExponent, true);
  }
}

/** `fsw` with ES and B as the exception flags and the masks of `fcw` ask for. SDM Vol. 1 8.1.3.3. */
export function summarized(fsw: number, fcw: number): number {
  const pending = (fsw & ~fcw & floatException.all) !== 0;
  return pending ? fsw | x87Status.summary : fsw & ~x87Status.summary;
}

function clearPointers(view: DataView): void {
  for (const field of [state.fop, state.fcs, state.fds]) view.setUint32(field, 0, true);
  for (const field of [state.fip, state.fdp]) view.setBigUint64(field, 0n, true);
}

/** FNINIT. The registers keep their contents. SDM Vol. 2A "FINIT/FNINIT". */
export function initializeX87(view: DataView): void {
  view.setUint32(state.fcw, x87Reset.fcwAfterInit, true);
  view.setUint32(state.fsw, 0, true);
  view.setUint32(state.ftwValid, 0, true);
  clearPointers(view);
}

/**
 * x87, XMM and MXCSR after power-up or RESET: all registers +0.0, none of them empty. INIT changes nothing of this.
 * SDM Vol. 3A table 9-1.
 */
export function resetFpu(view: DataView): void {
  view.setUint32(state.fcw, x87Reset.fcwAfterReset, true);
  view.setUint32(state.fsw, 0, true);
  view.setUint32(state.ftwValid, 0xff, true);
  clearPointers(view);
  for (let at: number = state.fpr; at < state.fpr + 8 * 16; at += 8) view.setBigUint64(at, 0n, true);
  for (let at: number = state.xmm; at < state.xmm + 16 * 16; at += 8) view.setBigUint64(at, 0n, true);
  view.setUint32(state.mxcsr, mxcsr.reset, true);
}
