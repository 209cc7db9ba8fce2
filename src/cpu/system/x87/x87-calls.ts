/** The host call 'x87': what its operation code says, on one `X87Unit`. */
import { type X87Operation, x87Code, x87Operations } from '../../emit/x87-operations.ts';
import { status } from '../../interpret/status.ts';
import type { Processor } from '../../processor.ts';
import { arithmetic } from './arithmetic.ts';
import { comparisons } from './compare.ts';
import { environments } from './environment.ts';
import { moves, storeEnds } from './moves.ts';
import { trigonometric } from './trigonometric.ts';
import { X87Unit } from './unit.ts';

type Operation = (u: X87Unit) => void;
type Table = Readonly<Partial<Record<X87Operation, Operation>>>;

const numeric: Table = { ...arithmetic, ...trigonometric, ...comparisons, ...moves };
/** Control operations leave the pointers alone and write what they change themselves. */
const control: Table = { ...environments, ...storeEnds };

const numericOperations = x87Operations.map((name) => numeric[name]);
const controlOperations = x87Operations.map((name) => control[name]);

function x87(cpu: Processor): number {
  const code = cpu.state.scratch32(0);
  const u = new X87Unit(cpu, code);
  const operation = numericOperations[code & x87Code.operationMask];
  if (operation === undefined) {
    controlOperations[code & x87Code.operationMask]?.(u);
  } else {
    operation(u);
    if (!u.isDeferred) u.commit();
  }
  return status.next;
}

export const x87Calls = { x87 } as const;
