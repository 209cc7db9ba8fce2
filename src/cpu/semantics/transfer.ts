/** Segment loads, far transfers and interrupts: operands here, the rest in `cpu/events`. */

import type { Value } from '../../wasm/types.ts';
import type { Form, Operand } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { segmentAt, segmentField, segmentIndex } from '../state/layout.ts';
import { operandAt } from './operands.ts';

/** MOV to a segment register: its number comes from the address of its selector. Rows are by register; SS is 2. */
function movToSegment(o: Ops, x: Form): void {
  const selector = o.read({ ...operandAt(x, 1), bits: 16 });
  const offset = o.sub(o.registerNumber(operandAt(x, 0)), segmentAt(0) + segmentField.selector);
  o.host(x.row.ext === segmentIndex.ss ? 'mov-to-ss' : 'mov-to-sreg', o.shrU(offset, 5), selector);
  o.findAnew();
}

const loadFarPointer =
  (segment: number): Semantics =>
  (o, x) => {
    const target = operandAt(x, 0);
    const source = operandAt(x, 1);
    const offset = o.read(o.part(source, 0, target.bits));
    const selector = o.read(o.part(source, target.bits / 8, 16));
    o.host('load-far-segment', o.i32(segment), selector);
    o.write(target, offset);
    o.findAnew();
  };

/** The far target of CALL and JMP: in the instruction, or in memory. */
function farTarget(o: Ops, x: Form, operand: Operand): { offset: Value; selector: Value } {
  const size = x.operandSize;
  if (operand.kind === 'immediate') {
    return { offset: o.let(o.resizeU(o.immediate(operand, 32), 32, size)), selector: o.let(o.immediate2()) };
  }
  const offset = o.read(o.part(operand, 0, size));
  return { offset, selector: o.read(o.part(operand, size / 8, 16)) };
}

const farBranch =
  (name: 'jmp-far' | 'call-far'): Semantics =>
  (o, x) => {
    const { offset, selector } = farTarget(o, x, operandAt(x, 0));
    o.host(name, offset, selector, o.i32(x.operandSize));
  };

function retFar(o: Ops, x: Form): void {
  const release = x.operands.length === 0 ? o.i32(0) : o.immediate(operandAt(x, 0), 16);
  o.host('ret-far', o.i32(x.operandSize), release);
}

function int(o: Ops, x: Form): void {
  o.host('int', o.immediate(operandAt(x, 0), 8));
}

function into(o: Ops): void {
  o.if(o.of(), () => o.host('into'));
}

export const transfer = {
  'mov-to-segment': movToSegment,
  les: loadFarPointer(segmentIndex.es),
  lds: loadFarPointer(segmentIndex.ds),
  lss: loadFarPointer(segmentIndex.ss),
  lfs: loadFarPointer(segmentIndex.fs),
  lgs: loadFarPointer(segmentIndex.gs),
  'jmp-far': farBranch('jmp-far'),
  'call-far': farBranch('call-far'),
  'ret-far': retFar,
  iret: (o, x) => o.host('iret', o.i32(x.operandSize)),
  int,
  int3: (o) => o.host('int3'),
  int1: (o) => o.host('int1'),
  into,
} as const satisfies Record<string, Semantics>;
