/** From table rows to the forms that semantics are specialised for. */
import type { Instruction } from '../decode/instruction.ts';
import type { OperandSpec, OperandWidth } from '../isa/operand.ts';
import type { TableRow } from '../isa/row.ts';
import type { RowFacts } from '../isa/row-facts.ts';
import { segmentAt, segmentField, state } from '../state/layout.ts';
import type { Form, Operand, OperandField, OperandKind } from './form.ts';

type Size = 16 | 32 | 64;

const widthBits = (width: OperandWidth, size: Size): number => {
  switch (width) {
    case 'b':
      return 8;
    case 'bs':
    case 'v':
      return size;
    case 'w':
      return 16;
    case 'd':
      return 32;
    case 'q':
      return 64;
    case 'dq':
      return 128;
    case 'z':
      return Math.min(size, 32);
    case 'y':
      return size === 64 ? 64 : 32;
    case 't':
      return 80;
    default:
      return 0;
  }
};

const generalNames: Readonly<Record<string, number>> = {
  AL: state.gpr,
  AH: state.gpr + 1,
  CL: state.gpr + 8,
  AX: state.gpr,
  EAX: state.gpr,
  rAX: state.gpr,
  eAX: state.gpr,
  DX: state.gpr + 16,
  rDX: state.gpr + 16,
};

const segmentNames = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];

function fixedOperand(name: string, bits: number): Operand {
  const general = generalNames[name];
  if (general !== undefined) return { kind: 'register', field: 'fixed', bits, address: general };
  const segment = segmentNames.indexOf(name);
  if (segment >= 0) {
    return { kind: 'segment', field: 'fixed', bits: 16, address: segmentAt(segment) + segmentField.selector };
  }
  if (name === 'XMM0') return { kind: 'xmm', field: 'fixed', bits: 128, address: state.xmm };
  if (name === 'ST0') return { kind: 'x87', field: 'fixed', bits: 80, address: 0 };
  return { kind: 'immediate', field: 'fixed', bits, address: Number(name) };
}

interface Place {
  readonly kind: OperandKind;
  readonly field: OperandField;
}

const inReg = (kind: OperandKind): Place => ({ kind, field: 'reg' });
const inRm = (kind: OperandKind): Place => ({ kind, field: 'rm' });
const inMemory: Place = { kind: 'memory', field: 'memory' };

function place(source: OperandSpec['source'], registerForm: boolean): Place {
  switch (source) {
    case 'E':
      return registerForm ? inRm('register') : inMemory;
    case 'W':
      return registerForm ? inRm('xmm') : inMemory;
    case 'Q':
      return registerForm ? inRm('mmx') : inMemory;
    case 'G':
      return inReg('register');
    case 'V':
      return inReg('xmm');
    case 'P':
      return inReg('mmx');
    case 'S':
      return inReg('segment');
    case 'C':
      return inReg('control');
    case 'D':
      return inReg('debug');
    case 'R':
    case 'Z':
      return inRm('register');
    case 'U':
      return inRm('xmm');
    case 'N':
      return inRm('mmx');
    case 'T':
      return inRm('x87');
    case 'B':
      return { kind: 'register', field: 'vvvv' };
    case 'I':
    case 'J':
    case 'A':
      return { kind: 'immediate', field: 'immediate' };
    default:
      return inMemory;
  }
}

/** The operand that `spec` denotes in an instruction of this size and ModRM form. */
function operandOf(spec: OperandSpec, size: Size, registerForm: boolean): Operand {
  const bits = widthBits(spec.width, size);
  if (spec.source === 'fixed') return fixedOperand(spec.name as string, bits);
  return { ...place(spec.source, registerForm), bits };
}

/** What of a decoded instruction selects its handler. */
export interface FormKey {
  readonly operandSize: Size;
  readonly addressSize: Size;
  readonly registerForm: boolean;
  readonly repeat: 0 | 0xf2 | 0xf3;
  readonly long: boolean;
  readonly locked: boolean;
}

/** Whether the processor locks the bus for an instruction. SDM Vol. 3A 9.1.2. */
export const locksBus = (
  { lockable, alwaysLocks }: RowFacts,
  { registerForm, lock }: Pick<Instruction, 'registerForm' | 'lock'>,
): boolean => lockable && !registerForm && (lock || alwaysLocks);

export function formOf(row: TableRow, key: FormKey): Form {
  return {
    row,
    operandSize: key.operandSize,
    addressSize: key.addressSize,
    repeat: key.repeat,
    long: key.long,
    locked: key.locked,
    operands: row.operandSpecs.map((spec) => operandOf(spec, key.operandSize, key.registerForm)),
  };
}
