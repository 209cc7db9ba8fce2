/** From an offset in a segment to its linear address, outside 64-bit code. SDM Vol. 3A 5.3. */
import { isConstant } from '../../wasm/expression.ts';
import type { Value } from '../../wasm/types.ts';
import { segmentAccess, segmentField } from '../state/layout.ts';
import type { Emitter } from './emitter.ts';
import type { Access } from './ops.ts';

const rights = {
  read: segmentAccess.read,
  write: segmentAccess.write,
  modify: segmentAccess.read | segmentAccess.write,
} as const;

export interface SegmentOffset {
  /** Address of the segment register's fields: i32, bound. */
  readonly segment: Value;
  /** i64. */
  readonly offset: Value;
  readonly bytes: number;
  readonly access: Access;
}

/**
 * The linear address (i64) of an access. Most segments reach as far as offsets do; all others are left to `check`, which is
 * given the arguments of the shared function `segmentLinear`, and leaves if the access is refused.
 */
export function segmentOffset(
  e: Emitter,
  { segment, offset, bytes, access }: SegmentOffset,
  check: (parameters: readonly Value[]) => Value,
): Value {
  const low = e.let(e.wrap(offset));
  const linear = e.variable('i64');
  const free = rights[access] | segmentAccess.whole;
  const allowed = e.eq(e.and(e.loadState32(segment, segmentField.access), free), free);
  const fits = e.leU(low, -bytes);
  e.ifLikely(
    isConstant(low) && Number(low.immediate) >>> 0 <= 2 ** 32 - bytes ? allowed : e.and(allowed, fits),
    () => e.set(linear, e.extendU(e.add(e.loadState32(segment, segmentField.base), low))),
    () => e.set(linear, check([segment, low, e.i32(bytes - 1), e.i32(rights[access])])),
  );
  return e.get(linear);
}
