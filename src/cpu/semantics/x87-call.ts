/** What x87 instructions have in common: the checks before them, and how they call `system/x87`. */
import { vector } from '../../spec/x86/exceptions.ts';
import { x87Status } from '../../spec/x86/x87.ts';
import type { Ops } from '../emit/ops.ts';
import { type X87Operation, x87Code, x87Operations } from '../emit/x87-operations.ts';
import { state } from '../state/layout.ts';

/** #NM, for instructions that do not wait. */
export const requireX87 = (o: Ops): void => o.requireUnit(state.x87Fault);

export function raisePending(o: Ops): void {
  o.ifUnlikely(o.and(o.loadState32(state.fsw), x87Status.es), () => o.raise(vector.mf));
}

/** #NM, then #MF for a pending exception. */
export function wait(o: Ops): void {
  requireX87(o);
  raisePending(o);
}

export interface CallOptions {
  readonly source?: number;
  readonly toRegister?: boolean;
  readonly pops?: number;
}

export const codeOf = (
  operation: X87Operation,
  { source = 0, toRegister = false, pops = 0 }: CallOptions = {},
): number =>
  x87Operations.indexOf(operation) |
  (source << x87Code.sourceShift) |
  (toRegister ? x87Code.toRegister : 0) |
  (pops << x87Code.popShift);
