/** Who executes cases: the host's CPU, the engine, or a recording of the former. */
import type { CaseBatch, Results } from './case.ts';

/**
 * Executes exactly one instruction per case, from the state, code and memory that the case describes (`layout.ts`), and
 * reports the state after it. Rules that make results comparable:
 * - `rip` is where execution would go on; after a fault, the instruction pointer that the exception would save.
 * - A repeated string instruction counts as one instruction, interrupted by nothing but its own faults.
 * - A jump completes without fetching at its target: a fault there belongs to the next instruction.
 * - A fault (any exception, INT3, INTO and INT1 too) leaves `vector`, `error` and, for #PF, `cr2`; otherwise the vector is
 *   `noFault` and both are 0. RF is never set.
 */
export interface Executor {
  readonly name: string;
  execute(batch: CaseBatch): Results;
}
