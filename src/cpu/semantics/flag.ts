/** Instructions on EFLAGS alone: CLC, STC, CMC, CLD, STD, LAHF, SAHF, SALC. SDM Vol. 2. */
import type { Form } from '../emit/form.ts';
import { type Ops, rax, type Semantics } from '../emit/ops.ts';
import { state } from '../state/layout.ts';

/** EFLAGS.DF. SDM Vol. 1 3.4.3.2. */
export const directionFlagBit = 10;
const directionFlag = 1 << directionFlagBit;
const ah = rax + 1;

function sahf(o: Ops, _x: Form): void {
  o.unpackFlags(o.gpr(ah, 8), true);
}

/** AH = SF:ZF:0:AF:0:PF:1:CF. */
function lahf(o: Ops, _x: Form): void {
  o.setGpr(ah, 8, o.or(o.packFlags(), 2));
}

/** SALC (undocumented): AL = CF ? FFH : 0. */
function salc(o: Ops, _x: Form): void {
  o.setGpr(rax, 8, o.neg(o.cf()));
}

export const flag = {
  clc: (o) => o.setFlags({ cf: o.i32(0) }),
  stc: (o) => o.setFlags({ cf: o.i32(1) }),
  cmc: (o) => o.setFlags({ cf: o.xor(o.cf(), 1) }),
  cld: (o) => o.storeState32(state.eflags, o.and(o.loadState32(state.eflags), ~directionFlag)),
  std: (o) => o.storeState32(state.eflags, o.or(o.loadState32(state.eflags), directionFlag)),
  lahf,
  sahf,
  salc,
} as const satisfies Record<string, Semantics>;
