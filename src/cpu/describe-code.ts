/** Disassembled guest code, for reports. */
import { decode } from './decode/decoder.ts';
import { disassemble } from './decode/disassemble.ts';
import type { Processor } from './processor.ts';
import { canonical } from './state/cpu-state.ts';

/** The instructions from 64-bit address `rip` on, one a line; stops where memory or sense ends. */
export function describeCode(cpu: Processor, rip: bigint, count = 40): string {
  const lines: string[] = [];
  let at = rip;
  for (let n = 0; n < count; n++) {
    const linear = canonical(at);
    const physical = linear === undefined ? -1 : cpu.mmu.probe(linear);
    const offset = physical < 0 ? -1 : cpu.memory.ramOffset(physical);
    if (offset < 0) break;
    const end = Math.min(offset + 15, cpu.memory.size);
    const result = decode(cpu.memory.bytes, offset, end, { codeSize: 64, real: false });
    if (result.kind !== 'ok') break;
    lines.push(`  ${BigInt.asUintN(64, at).toString(16)}  ${disassemble(result.instruction, at)}`);
    at += BigInt(result.instruction.length);
  }
  return lines.join('\n');
}
