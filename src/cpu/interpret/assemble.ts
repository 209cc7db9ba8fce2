/** Instruction → record. */
import { type Instruction, noRegister, ripBase, segment } from '../decode/instruction.ts';
import type { OperandSpec } from '../isa/operand.ts';
import { segmentAt, segmentField, segmentIndex, state } from '../state/layout.ts';
import { record } from './record.ts';

/** State address of a general register; byte registers 4–7 without REX are AH, CH, DH, BH. */
const generalAddress = (number: number, byte: boolean, rex: boolean): number =>
  byte && !rex && number >= 4 && number < 8 ? state.gpr + (number - 4) * 8 + 1 : state.gpr + number * 8;

const isByte = (spec: OperandSpec): boolean => spec.width === 'b';

/** State address (or number, for CR, DR, ST) that the operand's register field stands for. */
function registerField(spec: OperandSpec, number: number, rex: boolean): number {
  switch (spec.source) {
    case 'E':
    case 'G':
    case 'R':
    case 'Z':
    case 'B':
      return generalAddress(number, isByte(spec), rex);
    case 'V':
    case 'W':
    case 'U':
      return state.xmm + number * 16;
    case 'P':
    case 'Q':
    case 'N':
      return state.fpr + (number & 7) * 16;
    case 'S':
      return segmentAt(number & 7) + segmentField.selector;
    default:
      return number;
  }
}

/** The segment whose base the memory operand uses: in 64-bit mode only FS and GS have one. */
export function segmentNumber(instruction: Instruction, long: boolean): number {
  const named = instruction.segment;
  if (!long || named === segment.fs || named === segment.gs) return named;
  return named === segment.ss ? segmentIndex.flatStack : segmentIndex.flat;
}

const registerAddress = (number: number): number =>
  number === noRegister ? state.zero : number === ripBase ? state.codeBase : state.gpr + number * 8;

const isRegField = (spec: OperandSpec): boolean => 'GVPSCD'.includes(spec.source);
const isRmField = (spec: OperandSpec): boolean => 'ERZWUQNT'.includes(spec.source);

/** State addresses (or numbers) behind modrm.reg, modrm.rm and VEX.vvvv; vvvv -1 if there is none. */
export function registerFields(instruction: Instruction): { reg: number; rm: number; vvvv: number } {
  const { row, rex } = instruction;
  let reg = state.gpr + instruction.reg * 8;
  let rm = state.gpr + instruction.rm * 8;
  let vvvv = -1;
  for (const spec of row.operandSpecs) {
    if (spec.source === 'fixed') continue;
    if (isRegField(spec)) reg = registerField(spec, instruction.reg, rex);
    else if (isRmField(spec)) rm = registerField(spec, instruction.rm, rex);
    else if (spec.source === 'B') vvvv = registerField(spec, instruction.vvvv, rex);
  }
  return { reg, rm, vvvv };
}

/** ENTER and far pointers: even a second immediate of 0 is in the record. */
const hasSecondImmediate = ({ operandSpecs }: Instruction['row']): boolean =>
  operandSpecs.some(
    ({ source }, position) => source === 'A' || (source === 'I' && operandSpecs[position + 1]?.source === 'I'),
  );

/** Writes the record of `instruction`, which starts at `pageOffset` of its page, to `address`. */
export function assemble(
  view: DataView,
  address: number,
  instruction: Instruction,
  pageOffset: number,
  handler: number,
  long: boolean,
): void {
  const { length, row } = instruction;
  view.setUint16(address + record.handler, handler, true);
  view.setUint8(address + record.length, length);
  view.setUint8(address + record.heat, 0);
  view.setUint16(address + record.pageOffset, pageOffset, true);
  const { reg, rm, vvvv } = registerFields(instruction);
  view.setUint16(address + record.reg, reg, true);
  view.setUint16(address + record.rm, rm, true);
  view.setUint16(address + record.base, registerAddress(instruction.base), true);
  view.setUint16(address + record.index, registerAddress(instruction.index), true);
  view.setUint8(address + record.scale, instruction.scale);
  view.setUint8(address + record.segment, segmentNumber(instruction, long));
  const ripOffset = instruction.base === ripBase ? BigInt(pageOffset + length) : 0n;
  view.setBigInt64(address + record.displacement, instruction.displacement + ripOffset, true);
  view.setBigInt64(address + record.immediate, instruction.immediate, true);
  if (row.operandSpecs.some(({ source }) => source === 'J')) view.setUint32(address + record.link, 0, true);
  else if (hasSecondImmediate(row)) view.setUint32(address + record.immediate2, instruction.immediate2, true);
  if (vvvv >= 0) view.setUint16(address + record.vvvv, vvvv, true);
}

/** A record that no instruction stands behind. */
export function assemblePseudo(
  view: DataView,
  address: number,
  pageOffset: number,
  handler: number,
  link: number,
): void {
  view.setUint16(address + record.handler, handler, true);
  view.setUint8(address + record.length, 0);
  view.setUint16(address + record.pageOffset, pageOffset, true);
  view.setUint32(address + record.link, link, true);
}
