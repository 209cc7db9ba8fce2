/** Instruction → text in Intel syntax, close to `objdump -M intel`. For crash reports and profiles. */
import type { OperandSpec, OperandWidth } from '../isa/operand.ts';
import { type Instruction, noRegister, ripBase, segment } from './instruction.ts';
import { registerName, segmentNames } from './registers.ts';

const pointerNames: Readonly<Record<number, string>> = {
  8: 'BYTE PTR ',
  16: 'WORD PTR ',
  32: 'DWORD PTR ',
  48: 'FWORD PTR ',
  64: 'QWORD PTR ',
  80: 'TBYTE PTR ',
  128: 'XMMWORD PTR ',
};

const widthBits: Readonly<Partial<Record<OperandWidth, number>>> = { b: 8, bs: 8, w: 16, d: 32, q: 64, dq: 128, t: 80 };

/** Bits of an operand; 0 where no size is shown. */
function bitsOf(width: OperandWidth, instruction: Instruction): number {
  const { operandSize } = instruction;
  switch (width) {
    case 'v':
      return operandSize;
    case 'z':
      return Math.min(operandSize, 32);
    case 'y':
      return operandSize === 64 ? 64 : 32;
    case 'p':
      return operandSize + 16;
    case 'a':
      return operandSize * 2;
    default:
      return widthBits[width] ?? 0;
  }
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function signed(value: bigint): string {
  return value < 0n ? `-${hex(-value)}` : `+${hex(value)}`;
}

function effectiveAddress(instruction: Instruction): string {
  const { base, index, addressSize, displacement } = instruction;
  if (base === ripBase) return `[${addressSize === 64 ? 'rip' : 'eip'}${signed(displacement)}]`;
  if (base === noRegister && index === noRegister) return hex(BigInt.asUintN(addressSize, displacement));
  const parts: string[] = [];
  if (base !== noRegister) parts.push(registerName(base, addressSize, false));
  if (index !== noRegister) {
    parts.push(registerName(index, addressSize, false) + (addressSize === 16 ? '' : `*${1 << instruction.scale}`));
  }
  return `[${parts.join('+')}${displacement === 0n ? '' : signed(displacement)}]`;
}

function memory(instruction: Instruction, width: OperandWidth): string {
  const { base, index, addressSize } = instruction;
  const size = pointerNames[bitsOf(width, instruction)] ?? '';
  const absolute = base === noRegister && index === noRegister;
  const stackBase = base === 4 || base === 5;
  const usual = stackBase && (addressSize !== 16 || base === 5) ? segment.ss : segment.ds;
  const shown = absolute || instruction.segment !== usual ? `${segmentNames[instruction.segment]}:` : '';
  return `${size}${shown}${effectiveAddress(instruction)}`;
}

function immediate(instruction: Instruction, width: OperandWidth): string {
  const size = width === 'bs' || width === 'z' ? instruction.operandSize : bitsOf(width, instruction);
  return hex(BigInt.asUintN(size, instruction.immediate));
}

function branchTarget(instruction: Instruction, address: bigint): string {
  const target = address + BigInt(instruction.length) + instruction.immediate;
  return hex(BigInt.asUintN(instruction.operandSize, target));
}

function fixed(name: string, instruction: Instruction): string {
  if (name === 'ST0') return 'st';
  if (name === 'rAX') return registerName(0, instruction.operandSize, false);
  if (name === 'eAX') return registerName(0, Math.min(instruction.operandSize, 32), false);
  return name.toLowerCase();
}

function registerOperand(spec: OperandSpec, instruction: Instruction): string {
  const { reg, rm } = instruction;
  const bits = bitsOf(spec.width, instruction);
  switch (spec.source) {
    case 'G':
      return registerName(reg, bits, instruction.rex);
    case 'B':
      return registerName(instruction.vvvv, bits, false);
    case 'S':
      return segmentNames[reg & 7] ?? '?';
    case 'C':
      return `cr${reg}`;
    case 'D':
      return `dr${reg}`;
    case 'V':
      return `xmm${reg}`;
    case 'P':
      return `mm${reg & 7}`;
    case 'W':
    case 'U':
      return `xmm${rm}`;
    case 'Q':
    case 'N':
      return `mm${rm & 7}`;
    case 'T':
      return `st(${rm & 7})`;
    default:
      return registerName(rm, bits, instruction.rex);
  }
}

function operand(spec: OperandSpec, instruction: Instruction, address: bigint, last: boolean): string {
  switch (spec.source) {
    case 'I':
      if (last && instruction.row.semantics === 'enter') return hex(BigInt(instruction.immediate2));
      return immediate(instruction, spec.width);
    case 'J':
      return branchTarget(instruction, address);
    case 'A':
      return `0x${instruction.immediate2.toString(16)}:${immediate(instruction, 'v')}`;
    case 'O':
      return memory(instruction, 'n');
    case 'M':
      return memory(instruction, spec.width);
    case 'E':
    case 'W':
    case 'Q':
      return instruction.registerForm ? registerOperand(spec, instruction) : memory(instruction, spec.width);
    case 'X': {
      const size = pointerNames[bitsOf(spec.width, instruction)] ?? '';
      const source = registerName(6, instruction.addressSize, false);
      return `${size}${segmentNames[instruction.segment]}:[${source}]`;
    }
    case 'Y': {
      const size = pointerNames[bitsOf(spec.width, instruction)] ?? '';
      return `${size}es:[${registerName(7, instruction.addressSize, false)}]`;
    }
    case 'fixed':
      return fixed(spec.name ?? '', instruction);
    default:
      return registerOperand(spec, instruction);
  }
}

/** The accumulator ST is not written where no other destination is possible. */
function hidesSt0(instruction: Instruction): boolean {
  const { mnemonic } = instruction.row;
  return !instruction.registerForm || /^(FU?COMP?|FXCH)$/.test(mnemonic);
}

/** A mnemonic column such as 'CBW/CWDE/CDQE' holds one name per size (address size for JCXZ). */
function mnemonicOf(instruction: Instruction): string {
  const names = instruction.row.mnemonic.split('/');
  const size = instruction.row.semantics === 'jcxz' ? instruction.addressSize : instruction.operandSize;
  const choice = size === 16 ? 0 : size === 32 ? 1 : 2;
  return (names[Math.min(choice, names.length - 1)] ?? '').toLowerCase();
}

function prefixOf(instruction: Instruction): string {
  const lock = instruction.lock ? 'lock ' : '';
  if (instruction.repeat === 0) return lock;
  if (instruction.row.rep === 'repe') return `${lock}${instruction.repeat === 0xf3 ? 'repz' : 'repnz'} `;
  return `${lock}rep `;
}

/** RIP-relative operands are resolved in a comment. */
function ripComment(instruction: Instruction, address: bigint): string {
  if (instruction.base !== ripBase) return '';
  const target = address + BigInt(instruction.length) + instruction.displacement;
  return ` # ${hex(BigInt.asUintN(instruction.addressSize, target))}`;
}

/** The instruction at linear (or offset) `address` as text, such as 'mov eax,DWORD PTR [rbp-0x4]'. */
export function disassemble(instruction: Instruction, address: bigint): string {
  const specs = instruction.row.operandSpecs;
  const shown = specs[0]?.name === 'ST0' && hidesSt0(instruction) ? specs.slice(1) : specs;
  const operands = shown.map((spec, i) => operand(spec, instruction, address, i > 0 && i === shown.length - 1));
  const name = `${prefixOf(instruction)}${mnemonicOf(instruction)}`;
  const text = operands.length === 0 ? name : `${name} ${operands.join(',')}`;
  return text + ripComment(instruction, address);
}
