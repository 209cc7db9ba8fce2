/**
 * FNSTENV, FLDENV, FNSAVE and FRSTOR. The first two are emitted code in 64-bit mode while all registers are empty, as they are
 * when a program switches contexts (setcontext(3)); all else goes to `system/x87/environment.ts`. SDM Vol. 1 8.1.10.
 */
import { floatException } from '../../spec/x86/floating-point.ts';
import { eflags } from '../../spec/x86/registers.ts';
import { x87Control, x87Status } from '../../spec/x86/x87.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { type X87Operation, x87Source } from '../emit/x87-operations.ts';
import { state } from '../state/layout.ts';
import { operandAt, requireCanonical } from './operands.ts';
import { codeOf, requireX87, wait } from './x87-call.ts';

const fields = 7;

/** Environments: fields of 2 or 4 bytes by operand size, with the registers 80 bytes more. First field and last byte are checked. */
function call(o: Ops, x: Form, operation: X87Operation, access: 'read' | 'write', registerBytes: number): void {
  const size = x.operandSize === 16 ? 16 : 32;
  const source = size === 16 ? x87Source.int16 : x87Source.int32;
  const operand = operandAt(x, 0);
  const first = o.linear(o.part(operand, 0, size), access);
  requireCanonical(o, first);
  o.host('x87', o.i32(codeOf(access === 'write' ? 'touch-write' : 'touch-read', { source })), first);
  const last = o.linear(o.part(operand, (size / 8) * fields + registerBytes - 1, 8), access);
  requireCanonical(o, last);
  o.host('x87', o.i32(codeOf(operation, { source })), first, last, o.effectiveAddress(operand));
}

const environment =
  (operation: X87Operation, access: 'read' | 'write', registerBytes: number, check: (o: Ops) => void): Semantics =>
  (o, x) => {
    check(o);
    call(o, x, operation, access, registerBytes);
  };

/** The 32-bit format: fields of four bytes, of which the first three are words with ones above them. */
const environmentBytes = 4 * fields;
const onesAbove = 0xffff_0000 | 0;
const allEmpty = 0xffff;

/** i32: not all of the image lies in one page, or alignment is checked, which is that of fields. */
const isUnusualPlace = (o: Ops, linear: Value): Value =>
  o.or(o.gtU(o.and(o.wrap(linear), 0xfff), 4096 - environmentBytes), o.and(o.loadState32(state.eflags), eflags.ac));

/** @param emit what the instruction is where its image lies at `linear` as usual; `slow` is the slow path, for `Ops.rarely` */
const emitted =
  (
    operation: X87Operation,
    access: 'read' | 'write',
    check: (o: Ops) => void,
    emit: (o: Ops, linear: Value, slow: () => void) => void,
  ): Semantics =>
  (o, x) => {
    check(o);
    const slow = (): void => call(o, x, operation, access, 0);
    if (!o.long || x.operandSize === 16) {
      slow();
      return;
    }
    const linear = o.linear(o.part(operandAt(x, 0), 0, 32), access);
    o.rarely(isUnusualPlace(o, linear), slow);
    emit(o, linear, slow);
  };

/** Two fields, the first one lower. */
const pair = (o: Ops, low: Value, high: Value): Value => o.or(o.extendU(low), o.shl(o.extendU(high), 32));

/** FNSTENV masks all exceptions once the environment is stored. FCS and FDS are 0, as CPUID.7.0:EBX[13] reports. */
function storeEnvironment(o: Ops, linear: Value, slow: () => void): void {
  o.rarely(o.loadState32(state.ftwValid), slow);
  const fcw = o.let(o.loadState32(state.fcw));
  const fsw = o.let(o.loadState32(state.fsw));
  const at = (offset: number): Value => o.let(o.add(linear, BigInt(offset)));
  o.storeMemory(linear, 8, o.let(pair(o, o.or(fcw, onesAbove), o.or(fsw, onesAbove))));
  o.storeMemory(at(8), 8, o.let(pair(o, o.i32(-1), o.loadState32(state.fip))));
  o.storeMemory(at(16), 8, o.let(pair(o, o.shl(o.loadState32(state.fop), 16), o.loadState32(state.fdp))));
  o.storeMemory(at(24), 4, o.i32(onesAbove));
  o.storeState32(state.fcw, o.or(fcw, floatException.all));
  o.storeState32(state.fsw, o.and(fsw, ~x87Status.summary));
}

/** With an unmasked exception pending in what is loaded, or a register that is not empty, it is a slow path's. */
function loadEnvironment(o: Ops, linear: Value, slow: () => void): void {
  const field = (position: number): Value => o.let(o.loadMemory(o.let(o.add(linear, BigInt(position * 4))), 4));
  const [fcw, fsw, tags, fip, fop, fdp] = [0, 1, 2, 3, 4, 5].map(field) as [Value, Value, Value, Value, Value, Value];
  const pending = o.and(o.and(fsw, o.not(fcw)), floatException.all);
  o.rarely(o.or(pending, o.xor(o.and(tags, allEmpty), allEmpty)), slow);
  o.storeState32(state.fcw, o.or(o.and(fcw, x87Control.writable), x87Control.fixedOnes));
  o.storeState32(state.fsw, o.and(fsw, 0xffff & ~x87Status.summary));
  o.storeState32(state.ftwValid, o.i32(0));
  o.storeState64(state.fip, o.extendU(fip));
  o.storeState32(state.fop, o.and(o.shrU(fop, 16), x87Status.fopMask));
  o.storeState64(state.fdp, o.extendU(fdp));
}

export const environments: Readonly<Record<string, Semantics>> = {
  fnstenv: emitted('store-environment', 'write', requireX87, storeEnvironment),
  fldenv: emitted('load-environment', 'read', wait, loadEnvironment),
  fnsave: environment('save', 'write', 80, requireX87),
  frstor: environment('restore', 'read', 80, wait),
};
