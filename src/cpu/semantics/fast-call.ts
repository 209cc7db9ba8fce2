/**
 * SYSCALL and SYSRET between 64-bit code and 64-bit code, without leaving emitted code; everything unusual goes to
 * `events/fast-calls.ts`. SDM Vol. 2B "SYSCALL", "SYSRET"; Vol. 3A 5.8.8.
 */
import { cr4, efer, eflags } from '../../spec/x86/registers.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import { type Ops, rcx, type Semantics } from '../emit/ops.ts';
import { blockKeys } from '../state/block-key.ts';
import { flatCode, flatStack } from '../state/flat-segments.ts';
import { engine, segmentAt, segmentField, segmentIndex, state, tlbContext, tlbSet } from '../state/layout.ts';
import { isStepped, mayInterrupt } from './interruptible.ts';

const r11 = state.gpr + 11 * 8;

const statusFlags = eflags.cf | eflags.pf | eflags.af | eflags.zf | eflags.sf | eflags.of;
/** What is not status flag, reserved, RF or VM. */
const controlFlags =
  eflags.tf | eflags.if | eflags.df | eflags.iopl | eflags.nt | eflags.ac | eflags.vif | eflags.vip | eflags.id;
/** Returning to these, or to TF, changes more than what is done here. */
const unusualFlags = eflags.tf | eflags.ac;
const alwaysSet = 2;

/** The whole of EFLAGS without RF: i32, bound. */
function flagsImage(o: Ops): Value {
  return o.let(o.or(o.and(o.loadState32(state.eflags), ~(statusFlags | eflags.rf)), o.packFlags()));
}

function setFlagsImage(o: Ops, image: Value): void {
  o.storeState32(state.eflags, o.or(o.and(image, controlFlags), alwaysSet));
  o.unpackFlags(image);
}

function loadFlat(o: Ops, index: number, selector: Value, segment: ReturnType<typeof flatCode>): void {
  const at = segmentAt(index);
  o.storeState64(at + segmentField.base, o.i64(segment.base));
  o.storeState32(at + segmentField.limit, o.i32(segment.limit | 0));
  o.storeState32(at + segmentField.selector, o.and(selector, 0xffff));
  o.storeState32(at + segmentField.attributes, o.i32(segment.attributes));
  o.storeState32(at + segmentField.access, o.i32(segment.access));
}

/** No SYSCALL instructions (#UD), or one instruction at a time: not here. i32 0 or non-zero. */
function isUnusual(o: Ops): Value {
  const disabled = o.isZero(o.and(o.loadState32(state.efer), efer.sce));
  return o.or(disabled, isStepped(o));
}

function syscall(o: Ops): void {
  o.rarely(isUnusual(o), () => o.host('syscall'));
  const next = o.nextIp();
  const old = flagsImage(o);
  o.storeState64(rcx, next);
  o.storeState64(r11, o.extendU(old));
  const image = o.let(o.and(old, o.not(o.loadState32(state.fmask))));
  setFlagsImage(o, image);
  const selector = o.let(o.and(o.loadState32(state.star + 4), 0xfffc));
  loadFlat(o, segmentIndex.cs, selector, flatCode(0, true));
  loadFlat(o, segmentIndex.ss, o.add(selector, 8), flatStack(0));
  o.storeState32(state.cpl, o.i32(0));
  o.storeState32(state.blockKey, o.i32(blockKeys.kernel64));
  o.storeState32(engine.codeKey, o.i32(blockKeys.kernel64));
  const smap = o.and(o.loadState32(state.cr4), cr4.smap);
  const noUser = o.and(o.ne(smap, 0), o.isZero(o.and(image, eflags.ac)));
  o.selectTlb(o.select(noUser, o.i32(tlbSet(tlbContext.supervisorNoUser)), o.i32(tlbSet(tlbContext.supervisor))));
  o.jump(o.loadState64(state.lstar));
}

function sysret(o: Ops, x: Form): void {
  if (x.operandSize !== 64) {
    o.host('sysret', o.i32(x.operandSize));
    return;
  }
  const target = o.let(o.loadState64(rcx));
  const image = o.let(o.wrap(o.loadState64(r11)));
  const notCanonical = o.ne(o.shrS(o.shl(target, 16), 16), target);
  const unusual = o.or(o.or(isUnusual(o), notCanonical), o.and(image, unusualFlags));
  // What sets IF lets a waiting interrupt in.
  o.rarely(o.or(unusual, mayInterrupt(o)), () => o.host('sysret', o.i32(x.operandSize)));
  setFlagsImage(o, image);
  const base = o.let(o.shrU(o.loadState32(state.star + 4), 16));
  loadFlat(o, segmentIndex.cs, o.or(o.add(base, 16), 3), flatCode(3, true));
  loadFlat(o, segmentIndex.ss, o.or(o.add(base, 8), 3), flatStack(3));
  o.storeState32(state.cpl, o.i32(3));
  o.storeState32(state.blockKey, o.i32(blockKeys.user64));
  o.storeState32(engine.codeKey, o.loadState32(engine.userKey));
  o.selectTlb(o.loadState32(engine.userTlb));
  o.jump(target);
}

export const fastCall = {
  syscall,
  sysret,
  sysenter: (o) => o.host('sysenter'),
  sysexit: (o, x) => o.host('sysexit', o.i32(x.operandSize)),
} as const satisfies Record<string, Semantics>;
