/** FOP: the 11 opcode bits of the running x87 instruction, read from memory. SDM Vol. 1 8.1.9. */
import type { Processor } from '../../processor.ts';
import { segmentIndex } from '../../state/layout.ts';

const maxPrefixes = 14;
// biome-ignore format: a table.
const prefixes: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
const isRex = (byte: number): boolean => (byte & 0xf0) === 0x40;

/** The byte at `linear`, without fault: it was fetched a moment ago. */
function codeByte(cpu: Processor, linear: number): number {
  const physical = cpu.mmu.probe(linear);
  return physical < 0 ? 0 : cpu.memory.readU8(physical);
}

export function lastOpcode(cpu: Processor): number {
  const { state } = cpu;
  const { code64 } = state;
  const ip = cpu.currentRip();
  const linear = code64
    ? Number(BigInt.asIntN(64, ip))
    : Number(BigInt.asUintN(32, ip + state.segmentBase(segmentIndex.cs)));
  let at = linear;
  for (; at < linear + maxPrefixes; at++) {
    const byte = codeByte(cpu, at);
    if (!prefixes.has(byte) && !(code64 && isRex(byte))) break;
  }
  return ((codeByte(cpu, at) & 7) << 8) | codeByte(cpu, at + 1);
}
