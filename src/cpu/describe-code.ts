/** Disassembled guest code, for reports. */
import { decode } from './decode/decoder.ts';
import { disassemble } from './decode/disassemble.ts';
import type { DecodeMode, Instruction } from './decode/instruction.ts';
import type { Processor } from './processor.ts';
import { attribute, canonical } from './state/cpu-state.ts';
import { segmentIndex } from './state/layout.ts';

/** How code is decoded now. */
function presentMode({ state }: Processor): DecodeMode {
  const wide = (state.segmentAttributes(segmentIndex.cs) & attribute.big) !== 0 && !state.virtual8086;
  return { codeSize: state.code64 ? 64 : wide ? 32 : 16, real: state.realSegments };
}

/** The instruction at `rip` as code of the present mode; undefined where there is no memory or no sense. */
export function instructionAt(cpu: Processor, rip: bigint): Instruction | undefined {
  const mode = presentMode(cpu);
  const base = cpu.state.segmentBase(segmentIndex.cs);
  const linear = mode.codeSize === 64 ? canonical(rip) : Number(BigInt.asUintN(32, base + rip));
  const physical = linear === undefined ? -1 : cpu.mmu.probe(linear);
  const offset = physical < 0 ? -1 : cpu.memory.ramOffset(physical);
  if (offset < 0) return undefined;
  const end = Math.min(offset + 15, cpu.memory.size);
  const result = decode(cpu.memory.bytes, offset, end, mode);
  return result.kind === 'ok' ? result.instruction : undefined;
}

/** The instructions from `rip` on, one a line; stops where memory or sense ends. */
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
