/** What people need to know of a processor that died: registers, and the code around the instruction pointer. */
import { decode } from '../cpu/decode/decoder.ts';
import { disassemble } from '../cpu/decode/disassemble.ts';
import type { DecodeMode } from '../cpu/decode/instruction.ts';
import { attribute, type CpuState, canonical } from '../cpu/state/cpu-state.ts';
import { segmentIndex } from '../cpu/state/layout.ts';
import type { Vcpu } from '../cpu/vcpu.ts';
import { eflags } from '../spec/x86/registers.ts';

const registerNames = 'RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15'.split(' ');
const segmentNames = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
const controlNames = ['cr0', 'cr2', 'cr3', 'cr4', 'efer'] as const;
const debugNames = [0, 1, 2, 3, 6, 7] as const;

/** Instructions shown before and after the one at the instruction pointer. */
const shownBefore = 8;
const shownAfter = 4;
/** How far back decoding starts: x86 code falls into step within a few instructions. */
const bytesBefore = 64;
const bytesAfter = 80;
/** Width of the column of bytes: instructions of up to 10 bytes fit. */
const bytesColumn = 30;

const hex = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Lines for a terminal, each ended. Reads guest memory through the guest's own paging. */
export function describeCrash(vcpu: Vcpu): string {
  const { state } = vcpu;
  return [...describeState(state), '', ...describeCode(vcpu), ''].join('\n');
}

function describeState(state: CpuState): string[] {
  const lines = [
    `RIP ${hex(state.selector(segmentIndex.cs), 4)}:${hex(state.rip, 16)}  ` +
      `RFLAGS ${hex(state.eflags, 8)} [${flagNames(state.eflags)}]  CPL ${state.cpl}, ${modeName(state)}`,
  ];
  const registers = registerNames.map((name, number) => `${name.padEnd(3)} ${hex(state.gpr(number), 16)}`);
  for (let at = 0; at < registers.length; at += 4) lines.push(registers.slice(at, at + 4).join('  '));
  for (const name of segmentNames) {
    const { selector, base, limit, attributes } = state.segment(segmentIndex[name]);
    lines.push(
      `${name.toUpperCase().padEnd(4)} ${hex(selector, 4)}  base ${hex(base, 16)}  limit ${hex(limit, 8)}  ` +
        `attributes ${hex(attributes, 4)}`,
    );
  }
  for (const name of ['gdtr', 'idtr'] as const) {
    const { base, limit } = state.table(name);
    lines.push(`${name.toUpperCase()}       base ${hex(base, 16)}  limit ${hex(limit, 8)}`);
  }
  lines.push(controlNames.map((name) => `${name.toUpperCase()} ${hex(state.get64(name), 8)}`).join('  '));
  lines.push(debugNames.map((number) => `DR${number} ${hex(state.dr(number), 8)}`).join('  '));
  return lines;
}

/** The flags that are set, highest bit first. */
function flagNames(value: number): string {
  const set = Object.entries(eflags).filter(([name, mask]) => name !== 'iopl' && (value & mask) !== 0);
  const names = set.map(([name]) => name.toUpperCase()).reverse();
  return [...names, `IOPL ${(value & eflags.iopl) >> 12}`].join(' ');
}

function codeMode(state: CpuState): DecodeMode {
  const big = (state.segmentAttributes(segmentIndex.cs) & attribute.big) !== 0 && !state.virtual8086;
  return { codeSize: state.code64 ? 64 : big ? 32 : 16, real: state.realSegments };
}

function modeName(state: CpuState): string {
  if (state.real) return 'real mode';
  if (state.virtual8086) return 'virtual-8086 mode';
  const mode = state.longMode ? 'long mode' : 'protected mode';
  return `${mode}, ${codeMode(state).codeSize}-bit code`;
}

/** One byte of code at an offset in CS, undefined where the guest maps nothing or nothing that is memory. */
function codeByte(vcpu: Vcpu, ip: bigint): number | undefined {
  const { state, memory, mmu } = vcpu;
  const base = state.code64 ? 0n : state.segmentBase(segmentIndex.cs);
  const linear = canonical(BigInt.asUintN(state.code64 ? 64 : 32, base + ip));
  const physical = linear === undefined ? -1 : mmu.probe(linear);
  return physical >= 0 && memory.ramOffset(physical) >= 0 ? memory.readU8(physical) : undefined;
}

/** The readable bytes from `first` on: at most `length`, and nothing behind the first that cannot be read. */
function codeBytes(vcpu: Vcpu, first: bigint, length: number): Uint8Array {
  const bytes: number[] = [];
  for (let n = 0; n < length; n++) {
    const byte = codeByte(vcpu, first + BigInt(n));
    if (byte === undefined) break;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

interface Line {
  readonly ip: bigint;
  readonly length: number;
  readonly text: string;
}

function describeCode(vcpu: Vcpu): string[] {
  const { state } = vcpu;
  const mode = codeMode(state);
  const after = codeBytes(vcpu, state.rip, bytesAfter);
  if (after.length === 0) return ['There is no memory at the instruction pointer.'];
  const room = state.rip < BigInt(bytesBefore) ? Number(state.rip) : bytesBefore;
  let before = codeBytes(vcpu, state.rip - BigInt(room), room);
  // A page that is not mapped lies in between: what counts is what lies next to the instruction.
  if (before.length < room) before = new Uint8Array(0);
  const lines = [
    ...linesBefore(before, state.rip, mode).slice(-shownBefore),
    ...linesAfter(after, state.rip, mode, shownAfter + 1),
  ];
  const bytes = Uint8Array.from([...before, ...after]);
  const firstIp = state.rip - BigInt(before.length);
  return lines.map((line) => {
    const at = Number(line.ip - firstIp);
    const raw = [...bytes.subarray(at, at + line.length)].map((byte) => hex(byte, 2)).join(' ');
    const mark = line.ip === state.rip ? '>' : ' ';
    return `${mark} ${hex(line.ip, mode.codeSize / 4)}  ${raw.padEnd(bytesColumn)} ${line.text}`;
  });
}

/** The longest run of instructions that ends exactly at `rip`: what lies before it in memory. */
function linesBefore(bytes: Uint8Array, rip: bigint, mode: DecodeMode): Line[] {
  for (let start = 0; start < bytes.length; start++) {
    const lines = linesAfter(bytes.subarray(start), rip - BigInt(bytes.length - start), mode, bytes.length);
    const last = lines.at(-1);
    if (last !== undefined && last.ip + BigInt(last.length) === rip) return lines;
  }
  return [];
}

/** Up to `count` instructions from `ip` on; ends early at bytes that are no instruction, which get a line, too. */
function linesAfter(bytes: Uint8Array, ip: bigint, mode: DecodeMode, count: number): Line[] {
  const lines: Line[] = [];
  let at = 0;
  while (lines.length < count && at < bytes.length) {
    const address = ip + BigInt(at);
    const result = decode(bytes, at, bytes.length, mode);
    if (result.kind === 'truncated') break;
    if (result.kind !== 'ok') {
      lines.push({ ip: address, length: 0, text: '(no instruction)' });
      break;
    }
    const { instruction } = result;
    lines.push({ ip: address, length: instruction.length, text: disassemble(instruction, address) });
    at += instruction.length;
  }
  return lines;
}
