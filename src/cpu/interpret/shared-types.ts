/** Functions that all emitted code calls; they live in the interpreter's main module or come from the host. */
import type { FunctionType } from '../../wasm/types.ts';
import { busTypes } from '../smp/bus-module.ts';
import { regionType } from './handler-keys.ts';

export const sharedTypes = {
  /** (segment address, offset, last byte, wanted access bits) → linear; check state.fault. */
  segmentLinear: { parameters: ['i32', 'i32', 'i32', 'i32'], results: ['i64'] },
  /**
   * (linear, bytes, perhaps with `stackAccess`, tag) → status; the value comes in state.scratch. The tag that did not match
   * is there for the engine's sake: a load that nothing but a comparison uses is done twice by V8.
   */
  readSlow: { parameters: ['i64', 'i32', 'i64'], results: ['i32'] },
  /** As readSlow, but demands write access. */
  readForWriteSlow: { parameters: ['i64', 'i32', 'i64'], results: ['i32'] },
  /** (linear, bytes, tag) → status; the value lies in state.scratch. */
  writeSlow: { parameters: ['i64', 'i32', 'i64'], results: ['i32'] },
  /** (linear, bytes from there on in its page that are going to be written, whether for writes) → 1 if the TLB has the page for that now. */
  openPage: { parameters: ['i64', 'i32', 'i32'], results: ['i32'] },
  /** (record, host call number) → status. */
  host: { parameters: ['i32', 'i32'], results: ['i32'] },
  /** Computes the status flags that state.flagKind defers. */
  settle: { parameters: [], results: [] },
  /** (linear, what was there instead) → address of the target cache's entry; see `emitFind`. */
  find: { parameters: ['i64', 'i64'], results: ['i32'] },
  /** (record and reference that a region was entered with) → status: on with the instruction at state.rip, interpreted. */
  goOn: regionType,
  /** (budget) → whether the slice must end; a negative request was found, or a negative budget. See `Bus.stepAside`. */
  mustEnd: { parameters: ['i32'], results: ['i32'] },
  /** → status: 0 if the other processors stand still. */
  lockBus: busTypes.lockBus,
  unlockBus: busTypes.unlockBus,
  /** (offset into RAM) → 1, 0 or -1; see `Bus.exchangeWide`. */
  exchangeWide: busTypes.exchangeWide,
} as const satisfies Record<string, FunctionType>;

/** Their numbers in a module. */
export type SharedFunctions = Readonly<Record<keyof typeof sharedTypes, number>>;

export type SharedExports = Record<keyof typeof sharedTypes, unknown>;
