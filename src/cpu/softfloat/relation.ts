/** How two operands compare. */

import { isMagnitudeLess } from './exact.ts';
import { kind, type Unpacked } from './unpacked.ts';

export const relation = { less: 0, equal: 1, greater: 2, unordered: 3 } as const;
export type Relation = (typeof relation)[keyof typeof relation];

/** NaNs and unsupported encodings are unordered; the zeros are equal. Raises nothing. */
export function compareOperands(a: Unpacked, b: Unpacked): Relation {
  if (a.kind >= kind.quietNaN || b.kind >= kind.quietNaN) return relation.unordered;
  if (a.kind === kind.zero && b.kind === kind.zero) return relation.equal;
  if (a.kind === kind.zero) return b.sign === 1 ? relation.greater : relation.less;
  if (b.kind === kind.zero || a.sign !== b.sign) return a.sign === 1 ? relation.less : relation.greater;
  const magnitude = compareMagnitudes(a, b);
  if (magnitude === relation.equal || a.sign === 0) return magnitude;
  return magnitude === relation.less ? relation.greater : relation.less;
}

/** |a| against |b|, neither zero. */
function compareMagnitudes(a: Unpacked, b: Unpacked): Relation {
  if (a.kind === kind.infinity) return b.kind === kind.infinity ? relation.equal : relation.greater;
  if (b.kind === kind.infinity) return relation.less;
  if (isMagnitudeLess(a, b)) return relation.less;
  return isMagnitudeLess(b, a) ? relation.greater : relation.equal;
}
