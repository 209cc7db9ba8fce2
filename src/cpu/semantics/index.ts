/** The meaning of every table row, by the name in its `semantics` column. */
import type { Semantics } from '../emit/ops.ts';
import { arithmetic } from './arithmetic.ts';
import { bcd } from './bcd.ts';
import { bit } from './bit.ts';
import { bmi } from './bmi.ts';
import { branch } from './branch.ts';
import { crc } from './crc32.ts';
import { division } from './divide.ts';
import { exchange } from './exchange.ts';
import { fastCall } from './fast-call.ts';
import { flag } from './flag.ts';
import { fpuState } from './fpu-state.ts';
import { logic } from './logic.ts';
import { move } from './move.ts';
import { multiplication } from './multiply.ts';
import { portIo } from './port-io.ts';
import { rotates } from './rotate.ts';
import { shifts } from './shift.ts';
import { sseCompare } from './sse-compare.ts';
import { sseConvert } from './sse-convert.ts';
import { sseFloat } from './sse-float.ts';
import { sseInteger } from './sse-integer.ts';
import { sseLane } from './sse-lane.ts';
import { sseMove } from './sse-move.ts';
import { sseShift } from './sse-shift.ts';
import { sseShuffle } from './sse-shuffle.ts';
import { sseString } from './sse-string.ts';
import { stack } from './stack.ts';
import { strings } from './string.ts';
import { system } from './system.ts';
import { transfer } from './transfer.ts';
import { x87 } from './x87.ts';

/** One record per file; no name may occur in two. */
export const families: readonly Readonly<Record<string, Semantics>>[] = [
  move,
  arithmetic,
  logic,
  shifts,
  rotates,
  multiplication,
  division,
  bit,
  bcd,
  strings,
  stack,
  branch,
  exchange,
  flag,
  bmi,
  crc,
  system,
  transfer,
  fastCall,
  portIo,
  x87,
  fpuState,
  sseMove,
  sseInteger,
  sseShuffle,
  sseLane,
  sseShift,
  sseFloat,
  sseCompare,
  sseConvert,
  sseString,
];

export const semantics: Readonly<Record<string, Semantics>> = Object.assign({}, ...families);
