/** Functions of the main module that all emitted code shares: segment checks, and the ways out to the slow paths. */
import { vector } from '../../spec/x86/exceptions.ts';
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { callFor, i32Constant, i64Constant, loadFrom } from '../../wasm/expression.ts';
import type { ModuleBuilder } from '../../wasm/module-builder.ts';
import type { Value } from '../../wasm/types.ts';
import { guestRam, loadOpcode, memoryType, storeOpcode } from '../emit/access-opcodes.ts';
import { Emitter } from '../emit/emitter.ts';
import { tlbEntry } from '../emit/tlb-entry.ts';
import { busTypes } from '../smp/bus-module.ts';
import { segmentAccess, segmentAt, segmentField, segmentIndex, state, tlb } from '../state/layout.ts';
import { defineGoOn } from './go-on.ts';
import { stackAccess } from './interpreter-ops.ts';
import { emitFind } from './lookup.ts';
import { definePageWalk, pageMask, walked } from './page-walk.ts';
import { chunkBytes } from './record-index.ts';
import { defineSettle } from './settle.ts';
import { type SharedFunctions, sharedTypes } from './shared-types.ts';
import { writeBeside } from './write-beside.ts';

/** What the main module imports from the vCPU: JavaScript functions, and those of `Bus`. */
const hostTypes = {
  accessSlow: { parameters: ['i32', 'i32'], results: ['i32'] },
  openForWrites: { parameters: ['i32'], results: ['i32'] },
  /** (offset into RAM, bytes): other processors hold code of the page that was written to. */
  written: { parameters: ['i32', 'i32'], results: [] },
  host: sharedTypes.host,
  ...busTypes,
} as const;

/** `kind` argument of the host's accessSlow(kind, bytes); `bytes` can carry `stackAccess`. */
const slowAccess = { read: 0, readForWrite: 1, write: 2 } as const;

function defineSegmentLinear(module: ModuleBuilder): number {
  const index = module.declare(sharedTypes.segmentLinear);
  const code = new CodeBuilder(sharedTypes.segmentLinear.parameters);
  const e = new Emitter(code);
  const [segment, offset, last, wanted] = [0, 1, 2, 3].map((n) => code.get(code.parameter(n))) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const access = e.let(e.loadState32(segment, segmentField.access));
  const limit = e.let(e.loadState32(segment, segmentField.limit));
  const end = e.let(e.add(offset, last));
  const denied = e.ne(e.and(access, wanted), wanted);
  const beyond = e.or(e.gtU(end, limit), e.ltU(end, offset));
  e.ifUnlikely(e.or(e.or(denied, beyond), e.and(access, segmentAccess.expandDown)), () => {
    const top = e.select(e.and(access, segmentAccess.big), e.i32(-1), e.i32(0xffff));
    const outsideDown = e.or(e.or(e.leU(offset, limit), e.gtU(end, top)), e.ltU(end, offset));
    const outside = e.select(e.and(access, segmentAccess.expandDown), outsideDown, beyond);
    e.if(e.or(denied, outside), () => {
      const stack = e.eq(segment, segmentAt(segmentIndex.ss));
      e.storeState32(state.faultError, e.i32(0));
      e.storeState32(state.faultHasError, e.i32(1));
      e.storeState32(state.fault, e.select(stack, e.i32(vector.ss + 1), e.i32(vector.gp + 1)));
      code.return(i64Constant(0));
    });
  });
  const linear = e.add(e.loadState64(segment, segmentField.base), e.extendU(offset));
  code.value(e.and(linear, 0xffff_ffffn));
  module.define(index, code);
  return index;
}

/** What a slow path looks up first: an access that shares a look with others may miss RAM for these. */
interface SlowPath {
  /** Numbers of the function that looks pages up, see `definePageWalk`, and of those of the host. */
  readonly walk: number;
  readonly accessSlow: number;
  readonly written: number;
  readonly kind: number;
  /** Offset of the table that must have the page. */
  readonly table: number;
  /** Moves what is accessed; see `defineMove`. */
  readonly move: number;
}

function defineSlow(module: ModuleBuilder, path: SlowPath): number {
  const { accessSlow, walk, kind, table, move } = path;
  const index = module.declare(sharedTypes.readSlow);
  const code = new CodeBuilder(sharedTypes.readSlow.parameters);
  const e = new Emitter(code);
  const movePart = (ram: Value, address: Value, bytes: Value): void =>
    kind === slowAccess.write
      ? code.memoryCopy(guestRam, ram, address, bytes, 0)
      : code.memoryCopy(0, address, ram, bytes, guestRam);
  const [linear, access] = [code.get(code.parameter(0)), code.get(code.parameter(1))];
  const bytes = e.let(e.and(access, stackAccess - 1));
  const done = (): void => code.return(i32Constant(0));
  const page = e.let(e.and(linear, pageMask));
  const lastPage = e.let(e.and(e.add(linear, e.sub(e.extendU(bytes), 1)), pageMask));
  const lookUp = (address: Value, ofPage: Value, found: (ram: Value) => void, beside?: (ram: Value) => void): void => {
    const entry = e.let(tlbEntry(e, e.loadState32(state.tlbBase), ofPage));
    const hit = e.variable('i32', e.eq(e.loadState64(entry, table + tlb.tag), ofPage));
    const ramIn = (from: number): Value => e.let(e.add(e.wrap(address), e.loadState32(entry, from + tlb.addend)));
    e.if(e.isZero(e.get(hit)), () => {
      const come = e.let(callFor('i32', walk, [address, i32Constant(table)]));
      e.set(hit, e.eq(come, walked.entered));
      if (beside !== undefined) e.if(e.eq(come, walked.beside), () => beside(ramIn(0)));
    });
    e.if(e.get(hit), () => found(ramIn(table)));
  };
  const isShared = e.let(e.ne(page, lastPage));
  const isBeside = (ram: Value): void => e.if(e.isZero(isShared), () => writeBeside(e, ram, bytes, path, done));
  const isThere = (first: Value): void => {
    e.if(e.isZero(isShared), () => {
      code.call(move, [first, i32Constant(state.scratch), bytes]);
      done();
    });
    // What comes after the last byte of a 32-bit space is for others to say.
    e.if(e.wrap(lastPage), () =>
      lookUp(lastPage, lastPage, (second) => {
        const split = e.let(e.wrap(e.sub(lastPage, linear)));
        movePart(first, e.i32(state.scratch), split);
        movePart(second, e.add(split, state.scratch), e.sub(bytes, split));
        done();
      }),
    );
  };
  lookUp(linear, page, isThere, kind === slowAccess.write ? isBeside : undefined);
  e.storeState64(state.accessLinear, linear);
  code.value(callFor('i32', accessSlow, [i32Constant(kind), access]));
  module.define(index, code);
  return index;
}

/** Bytes to be written, of whole chunks of code: with one element less the next time nobody asks again. */
const leastOpened = 512;

function defineOpen(module: ModuleBuilder, openForWrites: number, walk: number): number {
  const index = module.declare(sharedTypes.openPage);
  const code = new CodeBuilder(sharedTypes.openPage.parameters);
  const e = new Emitter(code);
  const [linear, bytes, write] = [0, 1, 2].map((n) => code.get(code.parameter(n))) as [Value, Value, Value];
  const come = callFor('i32', walk, [linear, write]);
  e.if(e.eq(come, walked.entered), () => code.return(i32Constant(1)));
  // Of an element that two pages share there are none in the first.
  const isPartial = e.ne(e.and(bytes, chunkBytes - 1), 0);
  e.if(e.or(isPartial, e.ltU(bytes, leastOpened)), () => code.return(i32Constant(0)));
  e.storeState64(state.accessLinear, linear);
  code.value(callFor('i32', openForWrites, [bytes]));
  module.define(index, code);
  return index;
}

const moveSizes = [1, 2, 4, 8, 16] as const;
const moveType = { parameters: ['i32', 'i32', 'i32'], results: [] } as const;

/**
 * (offset into RAM, address, bytes): moves 1, 2, 4, 8 or 16 bytes between RAM and the vCPU's memory in one access, as
 * JavaScript cannot, which other processors would see in pieces.
 */
function defineMove(module: ModuleBuilder, toRam: boolean): number {
  const index = module.declare(moveType);
  const code = new CodeBuilder(moveType.parameters);
  const [ram, address, wanted] = [0, 1, 2].map((n) => code.get(code.parameter(n))) as [Value, Value, Value];
  const e = new Emitter(code);
  for (const bytes of moveSizes) {
    e.if(e.eq(wanted, bytes), () => {
      const [from, to] = toRam ? [address, ram] : [ram, address];
      const type = memoryType(bytes);
      const value = loadFrom(loadOpcode(bytes, type), type, from, 0, toRam ? 0 : guestRam);
      code.store(storeOpcode(bytes, type), to, value, 0, toRam ? guestRam : 0);
      code.return();
    });
  }
  module.define(index, code);
  return index;
}

/** What moves single values between RAM and the vCPU's memory; see `defineMove`. */
export interface RamMoves {
  readonly fromRam: (ramOffset: number, address: number, bytes: number) => void;
  readonly toRam: (ramOffset: number, address: number, bytes: number) => void;
}

/** Defines and exports the functions of `RamMoves`. */
function defineMoves(module: ModuleBuilder): Record<keyof RamMoves, number> {
  const moves = { fromRam: defineMove(module, false), toRam: defineMove(module, true) };
  module.export('fromRam', moves.fromRam);
  module.export('toRam', moves.toRam);
  return moves;
}

function defineFind(module: ModuleBuilder): number {
  const index = module.declare(sharedTypes.find);
  const code = new CodeBuilder(sharedTypes.find.parameters);
  emitFind(new Emitter(code));
  module.define(index, code);
  return index;
}

function defineMustEnd(module: ModuleBuilder, stepAside: number): number {
  const index = module.declare(sharedTypes.mustEnd);
  const code = new CodeBuilder(sharedTypes.mustEnd.parameters);
  const e = new Emitter(code);
  e.if(e.ltS(code.get(code.parameter(0)), 0), () => code.return(i32Constant(1)));
  code.value(e.isZero(callFor('i32', stepAside, [])));
  module.define(index, code);
  return index;
}

/** Imports what comes from the vCPU, and defines the rest. */
export function defineSharedFunctions(module: ModuleBuilder): SharedFunctions {
  const accessSlow = module.importFunction('accessSlow', hostTypes.accessSlow);
  const openForWrites = module.importFunction('openForWrites', hostTypes.openForWrites);
  const written = module.importFunction('written', hostTypes.written);
  const host = module.importFunction('host', hostTypes.host);
  const lockBus = module.importFunction('lockBus', hostTypes.lockBus);
  const unlockBus = module.importFunction('unlockBus', hostTypes.unlockBus);
  const exchangeWide = module.importFunction('exchangeWide', hostTypes.exchangeWide);
  const stepAside = module.importFunction('stepAside', hostTypes.stepAside);
  const { fromRam, toRam } = defineMoves(module);
  const walk = definePageWalk(module);
  const { read, readForWrite, write } = slowAccess;
  const find = defineFind(module);
  const slow = { accessSlow, walk, written };
  const writes = { ...slow, table: tlb.writeOffset };
  return {
    segmentLinear: defineSegmentLinear(module),
    readSlow: defineSlow(module, { ...slow, kind: read, table: 0, move: fromRam }),
    readForWriteSlow: defineSlow(module, { ...writes, kind: readForWrite, move: fromRam }),
    writeSlow: defineSlow(module, { ...writes, kind: write, move: toRam }),
    openPage: defineOpen(module, openForWrites, walk),
    host,
    settle: defineSettle(module),
    find,
    goOn: defineGoOn(module, find),
    mustEnd: defineMustEnd(module, stepAside),
    lockBus,
    unlockBus,
    exchangeWide,
  };
}
