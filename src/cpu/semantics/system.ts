/** Instructions that control the processor: registers, tables, time, flags. Most of the work is done by slow paths. */
import { vector } from '../../spec/x86/exceptions.ts';
import { cr4, eflags } from '../../spec/x86/registers.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import type { HostCall } from '../emit/host-calls.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { segmentAt, segmentField, segmentIndex, state, tlbContext, tlbSet } from '../state/layout.ts';
import { isStepped, mayInterrupt } from './interruptible.ts';
import { operandAt } from './operands.ts';

const statusFlags = 0x8d5;
/** What POPF may change without anyone but later instructions noticing. */
const quietFlags = statusFlags | eflags.df;

const call =
  (name: HostCall): Semantics =>
  (o) =>
    o.host(name);

const nothing: Semantics = () => {};

/** UMIP: SGDT, SIDT, SLDT, SMSW, STR are #GP(0) above CPL 0. SDM Vol. 3A 2.5. */
function requireUmip(o: Ops): void {
  o.ifUnlikely(o.and(o.loadState32(state.cr4), cr4.umip), () => o.requireSupervisor());
}

/** Virtual-8086 mode with IOPL below 3: #GP(0). */
function requireVirtualIopl(o: Ops): void {
  if (o.flat) return;
  const flags = o.let(o.loadState32(state.eflags));
  const trapped = o.and(o.eflagsBit(17), o.ltU(o.and(flags, eflags.iopl), eflags.iopl));
  o.ifUnlikely(trapped, () => o.raise(vector.gp, o.i32(0)));
}

/** CPL > IOPL: #GP(0). */
function requireIopl(o: Ops): void {
  const iopl = o.and(o.shrU(o.loadState32(state.eflags), 12), 3);
  o.ifUnlikely(o.gtU(o.loadState32(state.cpl), iopl), () => o.raise(vector.gp, o.i32(0)));
}

function pushf(o: Ops, x: Form): void {
  requireVirtualIopl(o);
  const visible = o.and(o.loadState32(state.eflags), ~(eflags.vm | eflags.rf | statusFlags));
  const image = o.let(o.or(visible, o.packFlags()));
  o.push(o.resizeU(image, 32, x.operandSize), x.operandSize);
}

/** All ones if POPF may not simply load IF: it lacks the privilege, or would let an interrupt in. i32. */
function keptInterrupts(o: Ops, image: Value): Value {
  const iopl = o.and(o.shrU(o.loadState32(state.eflags), 12), 3);
  const opens = o.and(o.ne(o.and(image, eflags.if), 0), o.ne(o.or(isStepped(o), mayInterrupt(o)), 0));
  return o.sub(o.i32(0), o.or(o.gtU(o.loadState32(state.cpl), iopl), opens));
}

function popf(o: Ops, x: Form): void {
  requireVirtualIopl(o);
  const popped = o.peek(x.operandSize);
  const image = o.let(o.wrap(popped));
  const old = o.let(o.loadState32(state.eflags));
  const considered = x.operandSize === 16 ? 0xffff : 0x3f_7fd5;
  const changed = o.let(o.and(o.xor(image, old), considered & ~quietFlags & ~(eflags.rf | eflags.vm)));
  o.rarely(o.and(changed, o.or(o.i32(~eflags.if), keptInterrupts(o, image))), () => {
    // The slow path may redirect to an interrupt: rSP moves before it.
    o.adjustStack(x.operandSize / 8);
    o.host('popf', image, o.i32(x.operandSize));
  });
  const loaded = eflags.df | eflags.if;
  o.storeState32(state.eflags, o.or(o.and(old, ~(loaded | eflags.rf)), o.and(image, loaded)));
  o.unpackFlags(image);
  o.adjustStack(x.operandSize / 8);
}

function cli(o: Ops): void {
  requireIopl(o);
  o.storeState32(state.eflags, o.and(o.loadState32(state.eflags), ~eflags.if));
}

function sti(o: Ops): void {
  requireIopl(o);
  o.if(o.isZero(o.eflagsBit(9)), () => o.enableInterrupts());
}

function swapgs(o: Ops): void {
  const gs = o.let(o.loadState64(segmentAt(segmentIndex.gs) + segmentField.base));
  o.storeState64(segmentAt(segmentIndex.gs) + segmentField.base, o.loadState64(state.kernelGsBase));
  o.storeState64(state.kernelGsBase, gs);
}

function movToControl(o: Ops, x: Form): void {
  o.host('mov-to-cr', o.registerNumber(operandAt(x, 0)), o.read(operandAt(x, 1)));
}

function movFromControl(o: Ops, x: Form): void {
  const target = operandAt(x, 0);
  const number = o.let(o.registerNumber(operandAt(x, 1)));
  // CR2, CR3 and CR4 follow CR0; CR1 does not exist, and CR8 lies in the local APIC.
  const load = (address: Value): Value => (target.bits === 64 ? o.loadState64(address) : o.loadState32(address));
  o.rarely(o.gtU(number, 4), () => {
    o.host('mov-from-cr', number);
    o.write(target, load(o.i32(state.scratch)));
  });
  const position = o.sub(number, o.ne(number, 0));
  o.write(target, load(o.add(o.shl(position, 3), state.cr0)));
}

function movToDebug(o: Ops, x: Form): void {
  o.host('mov-to-dr', o.registerNumber(operandAt(x, 0)), o.read(operandAt(x, 1)));
}

function movFromDebug(o: Ops, x: Form): void {
  const target = operandAt(x, 0);
  o.host('mov-from-dr', o.registerNumber(operandAt(x, 1)));
  o.write(target, target.bits === 64 ? o.loadState64(state.scratch) : o.loadState32(state.scratch));
}

function smsw(o: Ops, x: Form): void {
  requireUmip(o);
  const target = operandAt(x, 0);
  o.write(target, o.let(o.resizeU(o.loadState32(state.cr0), 32, target.bits)));
}

function lmsw(o: Ops, x: Form): void {
  o.host('lmsw', o.read(operandAt(x, 0)));
}

const storeSelector =
  (index: number): Semantics =>
  (o, x) => {
    requireUmip(o);
    const target = operandAt(x, 0);
    const selector = o.and(o.loadState32(segmentAt(index) + segmentField.selector), 0xffff);
    o.write(target, o.let(o.resizeU(selector, 16, target.bits)));
  };

/** SGDT, SIDT: limit and base, 64 bits of it in 64-bit mode, otherwise all 32. */
const storeTable =
  (table: number): Semantics =>
  (o, x) => {
    requireUmip(o);
    const target = operandAt(x, 0);
    const base = o.long ? o.loadState64(table) : o.loadState32(table);
    const bits = o.long ? 64 : 32;
    o.write(o.part(target, 0, 16), o.and(o.loadState32(table + 8), 0xffff));
    o.write(o.part(target, 2, bits), base);
  };

/** LGDT, LIDT: 24 bits of the base with a 16-bit operand size. */
const loadTable =
  (name: 'lgdt' | 'lidt'): Semantics =>
  (o, x) => {
    const source = operandAt(x, 0);
    const limit = o.read(o.part(source, 0, 16));
    const base = o.read(o.part(source, 2, o.long ? 64 : 32));
    o.host(name, x.operandSize === 16 && !o.long ? o.and(base, 0xff_ffff) : base, limit);
  };

const loadSystemSegment =
  (name: 'lldt' | 'ltr'): Semantics =>
  (o, x) => {
    o.host(name, o.read(operandAt(x, 0)));
  };

/** LAR, LSL: ZF says whether the descriptor could be seen; only then the destination is written. */
const inspect =
  (name: 'lar' | 'lsl'): Semantics =>
  (o, x) => {
    const target = operandAt(x, 0);
    o.host(name, o.read(operandAt(x, 1)));
    const seen = o.let(o.loadState32(state.scratch));
    const value = o.let(o.loadState64(state.scratch + 8));
    o.setFlags({ zf: seen });
    o.if(seen, () => o.write(target, o.resizeU(value, 64, target.bits)));
  };

const verify =
  (name: 'verr' | 'verw'): Semantics =>
  (o, x) => {
    o.host(name, o.read(operandAt(x, 0)));
    o.setFlags({ zf: o.loadState32(state.scratch) });
  };

/** ARPL writes only what it changes: a selector that can be read is enough otherwise. */
function arpl(o: Ops, x: Form): void {
  const target = operandAt(x, 0);
  const wanted = o.let(o.and(o.read(operandAt(x, 1)), 3));
  const selector = o.read(target);
  const raised = o.let(o.ltU(o.and(selector, 3), wanted));
  o.if(raised, () => o.write(target, o.let(o.or(o.and(selector, 0xfffc), wanted))));
  o.setFlags({ zf: raised });
}

/** Of any address that the guest names, only the page counts; one that is not canonical is ignored. */
function invlpg(o: Ops, x: Form): void {
  const effective = o.let(o.effectiveAddress(operandAt(x, 0)));
  o.host('invlpg', o.linearOf(effective, 1, 'read'));
}

function invpcid(o: Ops, x: Form): void {
  const descriptor = operandAt(x, 1);
  const low = o.read(o.part(descriptor, 0, 64));
  const high = o.read(o.part(descriptor, 8, 64));
  o.host('invpcid', o.read(operandAt(x, 0)), low, high);
}

/** FSGSBASE instructions need CR4.FSGSBASE. SDM Vol. 2B "RDFSBASE". */
function requireFsgsbase(o: Ops): void {
  const enabled = o.and(o.loadState32(state.cr4), cr4.fsgsbase);
  o.ifUnlikely(o.isZero(enabled), () => o.raise(vector.ud));
}

const readBase =
  (index: number): Semantics =>
  (o, x) => {
    requireFsgsbase(o);
    const target = operandAt(x, 0);
    o.write(target, o.let(o.resizeU(o.loadState64(segmentAt(index) + segmentField.base), 64, target.bits)));
  };

const writeBase =
  (index: number): Semantics =>
  (o, x) => {
    requireFsgsbase(o);
    const base = o.let(o.extendU(o.read(operandAt(x, 0))));
    const canonical = o.shrS(o.shl(base, 16), 16);
    o.ifUnlikely(o.ne(canonical, base), () => o.raise(vector.gp, o.i32(0)));
    o.storeState64(segmentAt(index) + segmentField.base, base);
  };

/** RDRAND, RDSEED: never out of entropy, so CF is always set. */
const random =
  (name: 'rdrand' | 'rdseed'): Semantics =>
  (o, x) => {
    const target = operandAt(x, 0);
    o.host(name);
    o.write(target, o.let(o.resizeU(o.loadState64(state.scratch), 64, target.bits)));
    const zero = o.i32(0);
    o.setFlags({ cf: o.i32(1), of: zero, sf: zero, zf: zero, af: zero, pf: zero });
  };

/**
 * STAC, CLAC: EFLAGS.AC, which under SMAP lets the supervisor into user pages. Anything but the two TLB sets of a
 * supervisor in 64-bit code means that somebody watches accesses.
 */
const setAc =
  (name: 'stac' | 'clac'): Semantics =>
  (o) => {
    o.ifUnlikely(o.loadState32(state.cpl), () => o.raise(vector.ud));
    if (!o.flat) {
      o.host(name);
      return;
    }
    const [open, shut] = [tlbSet(tlbContext.supervisor), tlbSet(tlbContext.supervisorNoUser)];
    const current = o.let(o.loadState32(state.tlbBase));
    const unusual = o.and(o.ne(current, open), o.ne(current, shut));
    o.rarely(unusual, () => o.host(name));
    const flags = o.loadState32(state.eflags);
    if (name === 'stac') {
      o.storeState32(state.eflags, o.or(flags, eflags.ac));
      o.selectTlb(o.i32(open));
    } else {
      o.storeState32(state.eflags, o.and(flags, ~eflags.ac));
      const smap = o.and(o.loadState32(state.cr4), cr4.smap);
      o.selectTlb(o.select(smap, o.i32(shut), o.i32(open)));
    }
  };

/**
 * SERIALIZE: what other processors have changed of the code is known before the next instruction. Who changes it says so
 * with a kick; what this processor changed itself is never run as it was. SDM Vol. 3A 9.3.
 */
function serialize(o: Ops): void {
  o.fence();
  o.rarely(o.ltS(o.loadState32(state.request), 0), () => o.host('serialize'));
}

/** CLFLUSH touches its operand as a read of one byte does. */
function clflush(o: Ops, x: Form): void {
  const address: Value = o.linear({ ...operandAt(x, 0), bits: 8 }, 'read');
  o.loadMemory(address, 1);
}

export const system = {
  cpuid: call('cpuid'),
  rdtsc: call('rdtsc'),
  rdtscp: call('rdtscp'),
  rdpmc: call('rdpmc'),
  rdmsr: call('rdmsr'),
  wrmsr: call('wrmsr'),
  xgetbv: call('xgetbv'),
  xsetbv: call('xsetbv'),
  clts: call('clts'),
  hlt: call('hlt'),
  wbinvd: nothing,
  invd: nothing,
  pause: call('pause'),
  lfence: nothing,
  serialize,
  mfence: (o) => o.fence(),
  sfence: nothing,
  clflush,
  rdrand: random('rdrand'),
  rdseed: random('rdseed'),
  pushf,
  popf,
  cli,
  sti,
  swapgs,
  'mov-to-control': movToControl,
  'mov-from-control': movFromControl,
  'mov-to-debug': movToDebug,
  'mov-from-debug': movFromDebug,
  smsw,
  lmsw,
  sldt: storeSelector(segmentIndex.ldtr),
  str: storeSelector(segmentIndex.tr),
  sgdt: storeTable(state.gdtr),
  sidt: storeTable(state.idtr),
  lgdt: loadTable('lgdt'),
  lidt: loadTable('lidt'),
  lldt: loadSystemSegment('lldt'),
  ltr: loadSystemSegment('ltr'),
  lar: inspect('lar'),
  lsl: inspect('lsl'),
  verr: verify('verr'),
  verw: verify('verw'),
  arpl,
  invlpg,
  invpcid,
  rdfsbase: readBase(segmentIndex.fs),
  rdgsbase: readBase(segmentIndex.gs),
  wrfsbase: writeBase(segmentIndex.fs),
  wrgsbase: writeBase(segmentIndex.gs),
  stac: setAc('stac'),
  clac: setAc('clac'),
} as const satisfies Record<string, Semantics>;
