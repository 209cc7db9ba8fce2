/** The linear address of an access that emitted code hands to TypeScript. SDM Vol. 1 3.3.7.1. */
import { state } from '../state/layout.ts';

const two32 = 0x1_0000_0000;
const canonicalEnd = 2 ** 47;

/** As a signed number, exact where it is canonical. */
export const accessLinear = (view: DataView): number =>
  view.getInt32(state.accessLinear + 4, true) * two32 + view.getUint32(state.accessLinear, true);

/** Whether `bytes` from `linear` on are; beyond the last one lies the first. */
export const isCanonical = (linear: number, bytes: number): boolean =>
  linear >= -canonicalEnd && linear + bytes <= canonicalEnd;
