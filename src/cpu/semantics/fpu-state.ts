/** FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR: checks and operand here, the images in `system/fpu-state.ts`. */
import { vector } from '../../spec/x86/exceptions.ts';
import { cr0, cr4 } from '../../spec/x86/registers.ts';
import { fxImage, xsaveHeader } from '../../spec/x86/x87.ts';
import type { HostCall } from '../emit/host-calls.ts';
import type { Access, Ops, Semantics } from '../emit/ops.ts';
import { state } from '../state/layout.ts';
import { operandAt, requireCanonical } from './operands.ts';

interface Area {
  readonly access: Access;
  readonly alignment: number;
  readonly bytes: number;
  /** Offset and size of what the processor touches first. */
  readonly probe: { readonly offset: number; readonly bytes: number };
  readonly check: (o: Ops) => void;
}

/**
 * Rows named …64 have REX.W: instruction and data pointers are 64 bits wide. Arguments of the host call: linear address,
 * REX.W, linear address of the probe. The host call refuses what is misaligned, before limits beyond the first byte count.
 */
const image =
  (name: HostCall, { access, alignment, bytes, probe, check }: Area): Semantics =>
  (o, x) => {
    check(o);
    const operand = operandAt(x, 0);
    const wide = o.i32(x.row.w === 1 ? 1 : 0);
    const first = o.linear(o.part(operand, 0, 8), access);
    requireCanonical(o, first);
    o.ifUnlikely(o.wrap(o.and(first, alignment - 1)), () => o.host(name, first, wide, first));
    const touched = o.linear(o.part(operand, probe.offset, probe.bytes * 8), access);
    requireCanonical(o, touched);
    o.linear(o.part(operand, bytes - 1, 8), access);
    o.host(name, first, wide, touched);
  };

const requireFxsr = (o: Ops): void => o.requireUnit(state.x87Fault);

/** #UD without CR4.OSXSAVE, then #NM with CR0.TS; CR0.EM does not count. */
function requireXsave(o: Ops): void {
  o.ifUnlikely(o.isZero(o.and(o.loadState32(state.cr4), cr4.osxsave)), () => o.raise(vector.ud));
  o.ifUnlikely(o.and(o.loadState32(state.cr0), cr0.ts), () => o.raise(vector.nm));
}

const fxArea = {
  alignment: 16,
  bytes: fxImage.size,
  probe: { offset: fxImage.size - 1, bytes: 1 },
  check: requireFxsr,
} as const;
const xsaveArea = { alignment: 64, bytes: xsaveHeader.end, check: requireXsave } as const;
const lastByte = { offset: xsaveHeader.end - 1, bytes: 1 } as const;
const compactionField = { offset: xsaveHeader.xcompBv, bytes: 8 } as const;

export const fpuState = {
  fxsave: image('fxsave', { ...fxArea, access: 'write' }),
  fxrstor: image('fxrstor', { ...fxArea, access: 'read' }),
  xsave: image('xsave', { ...xsaveArea, access: 'write', probe: lastByte }),
  xsaveopt: image('xsaveopt', { ...xsaveArea, access: 'write', probe: lastByte }),
  xrstor: image('xrstor', { ...xsaveArea, access: 'read', probe: compactionField }),
} as const satisfies Record<string, Semantics>;
