/** FSIN, FCOS, FSINCOS, FPTAN. SDM Vol. 1 8.3.7: beyond ±2^63 they set C2 and change nothing; they clear it elsewhere. */
import { x87Condition } from '../../../spec/x86/floating-point.ts';
import { type FloatContext, isAborted } from '../../softfloat/context.ts';
import { extended, type F80 } from '../../softfloat/format.ts';
import { integerBit, isNaNKind } from '../../softfloat/unpacked.ts';
import { type AngleResult, x87Cosine, x87Sine, x87SineCosine, x87Tangent } from '../../softfloat/x87-trigonometric.ts';
import { indefinite, type X87Unit } from './unit.ts';

const { c2 } = x87Condition;
const one = extended.pack(0, 0, integerBit);

const angle =
  (compute: (context: FloatContext, a: F80) => AngleResult) =>
  (u: X87Unit): void => {
    u.setConditions(c2, 0);
    if (u.isEmpty(0)) {
      if (u.underflow()) u.set(0, indefinite);
      return;
    }
    const { value, isOutOfRange } = compute(u.context, u.get(0));
    if (isOutOfRange) u.setConditions(c2, c2);
    else if (!isAborted(u.context)) u.set(0, value);
  };

/** Stack faults of the two that push. @returns whether they are all that happens. */
function faultsOnStack(u: X87Unit): boolean {
  const isUnderflow = u.isEmpty(0);
  if (!isUnderflow && u.isEmpty(7)) return false;
  const isMasked = isUnderflow ? u.underflow() : u.overflow();
  if (isMasked) {
    u.set(0, indefinite);
    u.push(indefinite);
  }
  return true;
}

function tangent(u: X87Unit): void {
  u.setConditions(c2, 0);
  if (faultsOnStack(u)) return;
  const { value, isOutOfRange } = x87Tangent(u.context, u.get(0));
  if (isOutOfRange) u.setConditions(c2, c2);
  if (isOutOfRange || isAborted(u.context)) return;
  u.set(0, value);
  u.push(isNaNKind(extended.unpack(value)) ? value : one);
}

function sineCosine(u: X87Unit): void {
  u.setConditions(c2, 0);
  if (faultsOnStack(u)) return;
  const { sine, cosine, isOutOfRange } = x87SineCosine(u.context, u.get(0));
  if (isOutOfRange) u.setConditions(c2, c2);
  if (isOutOfRange || isAborted(u.context)) return;
  u.set(0, sine);
  u.push(cosine);
}

export const trigonometric = {
  sine: angle(x87Sine),
  cosine: angle(x87Cosine),
  tangent,
  'sine-cosine': sineCosine,
} as const;
