/**
 * The interpreter's main module: shared functions and `run`, one loop around one switch over the record's handler.
 * `run(record, 0)` returns a `status`; the record it stopped at is in state.record, the rest of the budget in
 * state.budget. Regions are entered by tail calls, and come back by tail calls of `run`.
 */
import { vector } from '../../spec/x86/exceptions.ts';
import { CodeBuilder, type Label } from '../../wasm/code-builder.ts';
import { i32Constant } from '../../wasm/expression.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { store } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { isLegacyNow } from '../emit/code-kind.ts';
import { Emitter } from '../emit/emitter.ts';
import { formOf } from '../emit/forms.ts';
import type { Semantics } from '../emit/ops.ts';
import { engine, heatOverflows, regionReference, state, targetCache } from '../state/layout.ts';
import type { DispatchCases } from './dispatch-cases.ts';
import { emitHandler } from './emit-handler.ts';
import {
  handlerType,
  maxHandlers,
  pseudoHandler,
  pseudoHandlers,
  regionTable,
  regionType,
  uncounted,
} from './handler-keys.ts';
import type { HotForm } from './hot.ts';
import { type InlineExits, InterpreterOps } from './interpreter-ops.ts';
import { emitLookup, liesAt, withCodePage } from './lookup.ts';
import { importMemories, importPageUsers } from './memories.ts';
import { emitPair } from './pair-ops.ts';
import { record, recordHeat } from './record.ts';
import { defineSharedFunctions } from './shared-functions.ts';
import type { SharedFunctions } from './shared-types.ts';
import { emitSliceEnd } from './slice-end.ts';
import { status } from './status.ts';

export interface MainModuleParts {
  readonly semantics: Readonly<Record<string, Semantics>>;
  readonly cases: DispatchCases;
  /** Whether looks into the TLB are counted, for statistics. */
  readonly countsLookups: boolean;
}

interface Loop {
  readonly code: CodeBuilder;
  readonly e: Emitter;
  readonly rec: Local;
  readonly start: Local;
  /** Of 64-bit code. */
  readonly long: boolean;
}

/** Instructions from the block's start up to the current record: `budget -= count`. */
function spend(loop: Loop, including: number): Value {
  const { e, code } = loop;
  const ran = e.add(e.shrU(e.sub(code.get(loop.rec), code.get(loop.start)), 5), including);
  const left = e.let(e.sub(e.loadState32(state.budget), ran));
  e.storeState32(state.budget, left);
  return left;
}

/** Counts the entry of `loop.rec`, unless it is settled; `report` leaves when it is hot. */
function countEntry(loop: Omit<Loop, 'start'>, report: () => void): void {
  const { e, code } = loop;
  const heat = e.let(e.loadState8(code.get(loop.rec), record.heat));
  const setHeat = (value: Value): void => e.storeState(store.i32_8, code.get(loop.rec), record.heat, value);
  e.ifUnlikely(e.ne(heat, recordHeat.settled), () => {
    e.ifLikely(
      e.ltU(heat, recordHeat.hot),
      () => setHeat(e.add(heat, 1)),
      () => {
        setHeat(e.i32(recordHeat.warm));
        const number = e.shrU(code.get(loop.rec), Math.log2(record.size));
        const counter = e.let(e.add(e.and(number, heatOverflows.entries - 1), heatOverflows.base));
        const rounds = e.let(e.add(e.loadState8(counter, 0), 1));
        const isHot = e.let(e.geU(rounds, e.loadState32(engine.hotAfter)));
        e.storeState(store.i32_8, counter, 0, e.select(isHot, e.i32(0), rounds));
        e.if(isHot, report);
      },
    );
  });
}

/** Leaves with `outcome` where the guest goes on at `ip`. */
function leaveAt(loop: Loop, exits: InlineExits, ip: Value, outcome: number): void {
  const { e, code } = loop;
  code.set(loop.start, code.get(loop.rec));
  e.storeState64(state.rip, ip);
  code.set(exits.status, e.i32(outcome));
  code.branch(exits.leave);
}

/** Adds what was spent since the interpreter was entered to its account. */
function settleAccount(e: Emitter): void {
  const spent = e.sub(e.loadState32(engine.entryBudget), e.loadState32(state.budget));
  e.storeState64(engine.interpreted, e.add(e.loadState64(engine.interpreted), e.extendS(spent)));
}

function enterRegion(loop: Loop, reference: Value): void {
  const { e, code } = loop;
  settleAccount(e);
  code.returnCallIndirect(
    1,
    regionTable,
    [code.get(loop.rec), reference],
    e.shrU(reference, regionReference.entryBits),
  );
}

/**
 * Goes on at the record that the direct jump of record `from` led to last, if the target's page still lies where it lay: what
 * decides lies beside the jump, not in large tables. A stale record leads to a look at its page in TypeScript.
 */
function emitFarLink(e: Emitter, from: Value, linear: Value, goOn: (far: Value) => void): void {
  const far = e.let(e.loadState32(from, record.farLink));
  e.ifLikely(far, () => {
    const fresh = e.ne(e.loadState16(far, record.handler), pseudoHandler.stale);
    e.ifLikely(e.and(fresh, liesAt(e, linear, e.loadState32(from, record.farPage))), () => goOn(far));
  });
}

/** Everything after a control transfer to `exits.target`: budget, target cache; falls out of its block to go on. */
function emitTransfer(loop: Loop, exits: InlineExits, functions: SharedFunctions): void {
  const { e, code } = loop;
  const left = spend(loop, 1);
  const target = code.get(exits.target);
  emitSliceEnd(e, left, functions.mustEnd, () => leaveAt(loop, exits, target, status.budget));
  const linear = e.let(e.and(e.add(target, e.loadState64(state.codeSegmentBase)), e.loadState64(state.linearMask)));
  const goOnAt = (at: Value): void => {
    code.set(loop.rec, at);
    code.set(loop.start, code.get(loop.rec));
    e.storeState64(state.codeBase, e.sub(target, e.and(linear, 0xfffn)));
  };
  const from = code.get(exits.from);
  code.block((found) => {
    e.if(from, () =>
      emitFarLink(e, from, linear, (far) => {
        goOnAt(far);
        code.branch(found);
      }),
    );
    const entry = emitLookup(e, linear, functions.find, () => leaveAt(loop, exits, target, status.lookup));
    goOnAt(e.loadState32(entry, targetCache.record));
    e.if(from, () => {
      withCodePage(e, linear, (page) => {
        e.storeState(store.i32, from, record.farPage, page);
        e.storeState(store.i32, from, record.farLink, code.get(loop.rec));
      });
    });
    const reference = e.let(e.loadState32(entry, targetCache.region));
    e.if(reference, () => enterRegion(loop, reference));
  });
  countEntry(loop, () => leaveAt(loop, exits, target, status.hot));
}

function emitLinked(loop: Loop, exits: InlineExits, functions: SharedFunctions): void {
  const { e, code } = loop;
  const left = spend(loop, 1);
  code.set(loop.rec, code.get(exits.link));
  code.set(loop.start, code.get(exits.link));
  const leaveWith = (outcome: number): void => {
    const offset = e.extendU(e.loadState16(code.get(exits.link), record.pageOffset));
    leaveAt(loop, exits, e.add(e.loadState64(state.codeBase), offset), outcome);
  };
  emitSliceEnd(e, left, functions.mustEnd, () => leaveWith(status.budget));
  countEntry(loop, () => leaveWith(status.hot));
}

/** An instruction that runs into the next page may run if that page still lies where it lay. */
function emitStraddler(loop: Loop, exits: InlineExits, own: Value): void {
  const { e, code } = loop;
  const nextPage = e.let(e.add(e.loadState64(state.codeBase), 4096n));
  const known = liesAt(e, nextPage, e.loadState32(code.get(loop.rec), record.immediate));
  e.ifUnlikely(e.isZero(known), () => {
    spend(loop, 0);
    leaveAt(loop, exits, own, status.lookup);
  });
  code.set(exits.link, e.loadState32(code.get(loop.rec), record.link));
  e.storeState32(state.budget, e.add(e.loadState32(state.budget), 1));
  code.branch(exits.linked);
}

function emitPseudo(loop: Loop, ops: InterpreterOps, exits: InlineExits, mustEnd: number, handler: number): void {
  const { e, code } = loop;
  // After the last byte of the 4 GiB comes the first, outside 64-bit code.
  const own = (): Value => {
    const offset = e.extendU(e.loadState16(code.get(loop.rec), record.pageOffset));
    const ip = e.add(e.loadState64(state.codeBase), offset);
    return loop.long ? ip : e.and(ip, 0xffff_ffffn);
  };
  switch (handler) {
    case pseudoHandler.stale:
      // The jump cache may still point here: only a fresh lookup leads on.
      e.storeState64(state.rip, own());
      code.set(exits.status, e.i32(status.lookup));
      code.branch(exits.leave);
      break;
    case pseudoHandler.continue:
      // Not an instruction: take it out of the count.
      code.set(exits.target, own());
      code.set(exits.from, code.get(loop.rec));
      e.storeState32(state.budget, e.add(e.loadState32(state.budget), 1));
      code.branch(exits.transfer);
      break;
    case pseudoHandler.goto:
      code.set(exits.link, e.loadState32(code.get(loop.rec), record.link));
      e.storeState32(state.budget, e.add(e.loadState32(state.budget), 1));
      code.branch(exits.linked);
      break;
    case pseudoHandler.translated: {
      // A region that jumps back to an access which it leaves at has no other place where the slice could end.
      emitSliceEnd(e, spend(loop, 0), mustEnd, () => leaveAt(loop, exits, own(), status.budget));
      const reference = e.let(e.loadState32(code.get(loop.rec), record.immediate));
      enterRegion(loop, reference);
      break;
    }
    case pseudoHandler.straddler:
      emitStraddler(loop, exits, e.let(own()));
      break;
    case pseudoHandler.undefined:
      ops.raise(vector.ud);
      break;
    default:
      ops.raise(vector.gp, e.i32(0));
  }
}

/** The handlers that are cases of a loop, and the number of the first of them. */
interface Cases {
  readonly long: boolean;
  readonly forms: readonly HotForm[];
  /** Behind the forms: two of them in turn. */
  readonly pairs: DispatchCases['pairs'];
  readonly first: number;
}

function emitSwitch(
  loop: Loop,
  exits: InlineExits,
  { forms, pairs, first }: Cases,
  functions: SharedFunctions,
  { semantics, countsLookups }: MainModuleParts,
): void {
  const { code, e, rec } = loop;
  const cases = pseudoHandlers + forms.length + pairs.length;
  const handler = code.local('i32');
  code.set(handler, e.loadState16(code.get(rec), record.handler));
  const ops = new InterpreterOps(code, rec, functions, exits);
  const emitForm = (own: InterpreterOps, number: number): void => {
    const { row, key } = forms[number - first] as HotForm;
    own.countsLookups = countsLookups;
    emitHandler(own, formOf(row, key), semantics);
  };
  const emitCase = (position: number): void => {
    if (position < 0) emitPseudo(loop, ops, exits, functions.mustEnd, position + pseudoHandlers);
    else if (position < forms.length) emitForm(ops, first + position);
    else {
      const [one, other] = pairs[position - forms.length] as DispatchCases['pairs'][number];
      emitPair(
        { code, rec, functions, exits, second: other },
        (own) => emitForm(own, one),
        (own) => emitForm(own, other),
      );
    }
  };
  const labels: Label[] = [];
  const nest = (remaining: number): void => {
    if (remaining === 0) {
      const [others, ...rest] = labels as [Label, ...Label[]];
      const own = rest.reverse();
      const between = new Array<Label>(first - pseudoHandlers).fill(others);
      const all = [...own.slice(0, pseudoHandlers), ...between, ...own.slice(pseudoHandlers)];
      code.branchTable(code.get(handler), all, others);
      return;
    }
    code.block((label) => {
      labels.push(label);
      nest(remaining - 1);
    });
    const number = remaining - 1;
    if (number === cases) return;
    code.scope(() => emitCase(number - pseudoHandlers));
    code.branch(exits.next);
  };
  nest(cases + 1);
  code.callIndirect(0, 0, [code.get(loop.rec)], code.get(handler));
  code.setFromStack(exits.status);
  code.branchIf(e.isZero(code.get(exits.status)), exits.next);
  e.ifLikely(e.eq(code.get(exits.status), status.transfer), () => {
    code.set(exits.target, e.loadState64(state.rip));
    code.set(exits.from, e.i32(0));
    code.branch(exits.transfer);
  });
  code.branch(exits.leave);
}

/** The loop over records. @param legacyRun the loop that takes over from it for what is not 64-bit code */
function defineRun(
  module: ModuleBuilder,
  functions: SharedFunctions,
  cases: Cases,
  parts: MainModuleParts,
  legacyRun?: number,
): number {
  const index = module.declare(regionType);
  const code = new CodeBuilder(regionType.parameters);
  const e = new Emitter(code);
  const rec = code.parameter(0);
  const loop: Loop = { code, e, rec, start: code.local('i32'), long: cases.long };
  const locals = {
    status: code.local('i32'),
    target: code.local('i64'),
    from: code.local('i32'),
    link: code.local('i32'),
  };
  if (legacyRun !== undefined)
    e.ifUnlikely(isLegacyNow(e), () => code.returnCall(legacyRun, [code.get(rec), code.get(code.parameter(1))]));
  code.if(e.loadState32(state.flagKind), () => code.call(functions.settle, []));
  // Regions come here with what is not translated, and often with nothing else before it.
  const report = (): void => {
    e.storeState32(state.record, code.get(rec));
    e.storeState64(
      state.rip,
      e.add(e.loadState64(state.codeBase), e.extendU(e.loadState16(code.get(rec), record.pageOffset))),
    );
    code.return(i32Constant(status.hot));
  };
  e.ifLikely(e.ne(code.get(code.parameter(1)), uncounted), () => countEntry(loop, report));
  e.storeState32(engine.entryBudget, e.loadState32(state.budget));
  code.set(loop.start, code.get(rec));
  code.block((leave) => {
    code.loop((again) => {
      code.block((transfer) => {
        code.block((linked) => {
          code.loop((dispatch) => {
            code.block((next) => {
              const exits: InlineExits = { next, transfer, linked, leave, ...locals };
              emitSwitch(loop, exits, cases, functions, parts);
            });
            code.set(rec, e.add(code.get(rec), record.size));
            code.branch(dispatch);
          });
        });
        emitLinked(loop, { next: leave, transfer, linked: leave, leave, ...locals }, functions);
        code.branch(again);
      });
      emitTransfer(loop, { next: leave, transfer: leave, linked: leave, leave, ...locals }, functions);
      code.branch(again);
    });
  });
  spend(loop, 0);
  settleAccount(e);
  e.storeState32(state.record, code.get(rec));
  e.storeState32(engine.translated, e.i32(0));
  code.value(code.get(locals.status));
  module.define(index, code);
  return index;
}

/** `enter()`: on from state.rip, wherever the code there is known; as after a control transfer. */
function defineEnter(module: ModuleBuilder, find: number): number {
  const type = { parameters: [], results: ['i32'] } as const;
  const index = module.declare(type);
  const code = new CodeBuilder(type.parameters);
  const e = new Emitter(code);
  const target = e.let(e.loadState64(state.rip));
  const linear = e.let(e.and(e.add(target, e.loadState64(state.codeSegmentBase)), e.loadState64(state.linearMask)));
  const entry = emitLookup(e, linear, find, () => code.return(i32Constant(status.lookup)));
  e.storeState64(state.codeBase, e.sub(target, e.and(linear, 0xfffn)));
  const rec = e.variable('i32', e.loadState32(entry, targetCache.record));
  const reference = e.let(e.loadState32(entry, targetCache.region));
  code.returnCallIndirect(1, regionTable, [code.get(rec), reference], e.shrU(reference, regionReference.entryBits));
  module.define(index, code);
  return index;
}

/** The bytes of the main module. Exports `run`, of `regionType`, `enter`, and the functions of `sharedTypes`. */
export function buildMainModule(parts: MainModuleParts): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.typeIndex(handlerType);
  module.typeIndex(regionType);
  importMemories(module);
  importPageUsers(module);
  module.importTable('handlers', maxHandlers);
  module.importTable('regions', 1);
  const functions = defineSharedFunctions(module);
  const { long: forms, pairs, legacy: legacyForms } = parts.cases;
  const long: Cases = { long: true, forms, pairs, first: pseudoHandlers };
  const legacy: Cases = { long: false, forms: legacyForms, pairs: [], first: long.first + forms.length + pairs.length };
  const run32 = defineRun(module, functions, legacy, parts);
  module.name(run32, 'interpreter of 16- and 32-bit code');
  const run = defineRun(module, functions, long, parts, run32);
  module.name(run, 'interpreter');
  module.export('run', run);
  module.export('enter', defineEnter(module, functions.find));
  for (const [name, number] of Object.entries(functions)) module.export(name, number);
  return module.finish();
}
