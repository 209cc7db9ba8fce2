/** FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR: checks and operand here, the images in `system/fpu-state.ts`. */
import { cr0, cr4 } from '../../spec/x86/registers.ts';
import { fxImage, xsaveHeader } from '../../spec/x86/x87.ts';
import type { HostCall } from '../emit/host-calls.ts';
import { type Access, type Ops, type Semantics, vector } from '../emit/ops.ts';
import { state } from '../state/layout.ts';
import { operandAt } from './operands.ts';

/** Rows named …64 have REX.W: instruction and data pointers are 64 bits wide. */
const image =
  (name: HostCall, bytes: number, access: Access, check: (o: Ops) => void): Semantics =>
  (o, x) => {
    check(o);
    const linear = o.linear({ ...operandAt(x, 0), bits: bytes * 8 }, access);
    o.host(name, linear, o.i32(x.row.w === 1 ? 1 : 0));
  };

const requireFxsr = (o: Ops): void => o.requireUnit(state.x87Fault);

/** #UD without CR4.OSXSAVE, then #NM with CR0.TS; CR0.EM does not count. */
function requireXsave(o: Ops): void {
  o.ifUnlikely(o.isZero(o.and(o.loadState32(state.cr4), cr4.osxsave)), () => o.raise(vector.ud));
  o.ifUnlikely(o.and(o.loadState32(state.cr0), cr0.ts), () => o.raise(vector.nm));
}

export const fpuState = {
  fxsave: image('fxsave', fxImage.size, 'write', requireFxsr),
  fxrstor: image('fxrstor', fxImage.size, 'read', requireFxsr),
  xsave: image('xsave', xsaveHeader.end, 'write', requireXsave),
  xsaveopt: image('xsaveopt', xsaveHeader.end, 'write', requireXsave),
  xrstor: image('xrstor', xsaveHeader.end, 'read', requireXsave),
} as const satisfies Record<string, Semantics>;
