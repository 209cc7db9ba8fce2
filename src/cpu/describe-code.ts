/** Disassembled guest code, for reports. */
import { decode } from './decode/decoder.ts';
import { disassemble } from './decode/disassemble.ts';
import type { Instruction } from './decode/instruction.ts';
import type { Processor } from './processor.ts';
import { canonical } from './state/cpu-state.ts';

/** The instruction at 64-bit address `rip`; undefined where there is no memory or no sense. */
export function instructionAt(cpu: Processor, rip: bigint): Instruction | undefined {
  const linear = canonical(rip);
  const physical = linear === undefined ? -1 : cpu.mmu.probe(linear);
  const offset = physical < 0 ? -1 : cpu.memory.ramOffset(physical);
  if (offset < 0) return undefined;
  const end = Math.min(offset + 15, cpu.memory.size);
  const result = decode(cpu.memory.bytes, offset, end, { codeSize: 64, real: false });
  return result.kind === 'ok' ? result.instruction : undefined;
}

/** The instructions from 64-bit address `rip` on, one a line; stops where memory or sense ends. */
export function describeCode(cpu: Processor, rip: bigint, count = 40): string {
  const lines: string[] = [];
  let at = rip;
  for (let n = 0; n < count; n++) {
    const instruction = instructionAt(cpu, at);
    if (instruction === undefined) break;
    lines.push(`  ${BigInt.asUintN(64, at).toString(16)}  ${disassemble(instruction, at)}`);
    at += BigInt(instruction.length);
  }
  return lines.join('\n');
}
