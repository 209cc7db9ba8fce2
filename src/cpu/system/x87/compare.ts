/** FCOM, FUCOM, FICOM, FTST, FCOMI, FUCOMI, FXAM. SDM Vol. 1 8.3.6. */
import { x87Condition } from '../../../spec/x86/floating-point.ts';
import { eflags } from '../../../spec/x86/registers.ts';
import { x87Source } from '../../emit/x87-operations.ts';
import { isAborted } from '../../softfloat/context.ts';
import { extended } from '../../softfloat/format.ts';
import { type Relation, relation } from '../../softfloat/relation.ts';
import { zero } from '../../softfloat/unpacked.ts';
import { x87Compare, x87Examine } from '../../softfloat/x87-arithmetic.ts';
import { writeStatusFlags } from '../../state/flags.ts';
import { unpackSource } from './source.ts';
import type { X87Unit } from './unit.ts';

const { c0, c1, c2, c3 } = x87Condition;

/** C3, C2, C0 by relation; EFLAGS' ZF, PF, CF likewise. SDM Vol. 1 tables 8-6 and 8-8. */
const conditionsOf: Readonly<Record<Relation, number>> = {
  [relation.less]: c0,
  [relation.equal]: c3,
  [relation.greater]: 0,
  [relation.unordered]: c0 | c2 | c3,
};
const flagsOf: Readonly<Record<Relation, number>> = {
  [relation.less]: eflags.cf,
  [relation.equal]: eflags.zf,
  [relation.greater]: 0,
  [relation.unordered]: eflags.cf | eflags.pf | eflags.zf,
};

const reportConditions = (u: X87Unit, result: Relation): void => u.setConditions(c0 | c2 | c3, conditionsOf[result]);
const reportFlags = (u: X87Unit, result: Relation): void => writeStatusFlags(u.cpu.state.view, flagsOf[result]);

type Report = (u: X87Unit, result: Relation) => void;

/** Reports the result, whatever exception is pending then; pops only if none is. */
const compare =
  (isQuiet: boolean, report: Report) =>
  (u: X87Unit): void => {
    if (report === reportFlags) u.keepC1();
    if (u.isEmpty(0) || (u.source === x87Source.register && u.isEmpty(u.number))) {
      u.underflow();
      report(u, relation.unordered);
    } else {
      report(u, x87Compare(u.context, extended.unpack(u.get(0)), unpackSource(u, u.number), isQuiet));
    }
    if (!isAborted(u.context)) u.pop();
  };

/** FTST: against +0.0. */
function test(u: X87Unit): void {
  if (u.isEmpty(0)) {
    u.underflow();
    reportConditions(u, relation.unordered);
  } else {
    reportConditions(u, x87Compare(u.context, extended.unpack(u.get(0)), zero(0), false));
  }
}

/** FXAM: no exceptions; C1 is the sign even of an empty register. */
function examine(u: X87Unit): void {
  const conditions = x87Examine(u.get(0));
  u.setConditions(c0 | c1 | c2 | c3, u.isEmpty(0) ? (conditions & c1) | c0 | c3 : conditions);
}

export const comparisons = {
  compare: compare(false, reportConditions),
  'compare-quiet': compare(true, reportConditions),
  'compare-flags': compare(false, reportFlags),
  'compare-flags-quiet': compare(true, reportFlags),
  test,
  examine,
} as const;
