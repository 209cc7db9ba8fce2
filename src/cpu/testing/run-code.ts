/** Runs a few bytes of machine code on a bare machine, up to a HLT or the first exception. */
import { cr0 } from '../../spec/x86/registers.ts';
import { segmentIndex } from '../state/layout.ts';
import { type BareMachine, enterLongMode } from './bare-machine.ts';

/** Where things lie; `data` is for the code to use. */
export const place = {
  stack: 0x6000,
  gdt: 0x7000,
  idt: 0x8000,
  handlers: 0x9000,
  code: 0x1_0000,
  data: 0x2_0000,
  /** Nothing is mapped from here on. */
  unmapped: 0x20_0000,
} as const;

/** Level-2 table of `enterLongMode`: entries of 2 MiB. */
const level2 = 0x3000;
const vectors = 32;
const hlt = 0xf4;
/** Instructions. */
const sliceLength = 1000;

function buildTables({ vcpu, memory }: BareMachine): void {
  memory.writeU64(place.gdt + 8, 0x00af_9b00_0000_ffffn);
  memory.writeU64(place.gdt + 16, 0x00cf_9300_0000_ffffn);
  vcpu.state.setTable('gdtr', BigInt(place.gdt), 23);
  for (let vector = 0; vector < vectors; vector++) {
    const handler = place.handlers + vector * 16;
    memory.writeU8(handler, hlt);
    memory.writeU64(place.idt + vector * 16, (0x8en << 40n) | (8n << 16n) | BigInt(handler));
    memory.writeU64(place.idt + vector * 16 + 8, 0n);
  }
  vcpu.state.setTable('idtr', BigInt(place.idt), vectors * 16 - 1);
}

export interface Ran {
  /** Vector of the exception that ended it, or undefined if the code came to its end. */
  readonly vector: number | undefined;
  /** What the exception saved as RIP, relative to the code's start. */
  readonly faultOffset: number;
  /** CR2. */
  readonly faultAddress: bigint;
}

/**
 * Runs `code` in 64-bit mode, CPL 0, with whatever registers the machine has. The first 2 MiB are mapped.
 * @param slices of 1000 instructions, at most
 */
export function runCode(machine: BareMachine, code: readonly number[], setUp: () => void = () => {}, slices = 1): Ran {
  const { vcpu, memory } = machine;
  enterLongMode(machine, place.code);
  buildTables(machine);
  memory.writeU64(level2 + 8, 0n);
  memory.write(place.code, Uint8Array.from([...code, hlt]));
  vcpu.state.setGpr(4, BigInt(place.stack));
  setUp();
  vcpu.modeChanged();
  return run(machine, slices);
}

/** The same in real mode, with segments based at 0. */
export function runRealCode({ vcpu, memory }: BareMachine, code: readonly number[]): void {
  vcpu.state.set64('cr0', BigInt(cr0.et));
  vcpu.state.set64('efer', 0n);
  vcpu.state.set64('cr4', 0n);
  vcpu.state.cpl = 0;
  vcpu.state.setSegment(segmentIndex.cs, { selector: 0x1000, base: 0x1_0000n, limit: 0xffff, attributes: 0x9b });
  vcpu.state.setSegment(segmentIndex.ds, { selector: 0x2000, base: 0x2_0000n, limit: 0xffff, attributes: 0x93 });
  vcpu.state.rip = 0n;
  memory.write(place.code, Uint8Array.from([...code, hlt]));
  vcpu.flushTlb('all');
  vcpu.modeChanged();
  vcpu.halted = false;
  if (vcpu.run(1000) !== 'halt') throw new Error('the code did not halt');
}

function run({ vcpu, memory }: BareMachine, slices = 1): Ran {
  vcpu.halted = false;
  let end = vcpu.run(sliceLength);
  for (let n = 1; n < slices && end === 'budget'; n++) end = vcpu.run(sliceLength);
  if (end !== 'halt') throw new Error('the code did not halt');
  const ip = Number(vcpu.state.rip) - 1;
  const faulted = ip >= place.handlers && ip < place.handlers + vectors * 16;
  const vector = faulted ? (ip - place.handlers) / 16 : undefined;
  const frame =
    Number(vcpu.state.gpr(4)) + (vector !== undefined && [8, 10, 11, 12, 13, 14, 17].includes(vector) ? 8 : 0);
  return {
    vector,
    faultOffset: faulted ? Number(memory.readU64(frame)) - place.code : -1,
    faultAddress: vcpu.state.get64('cr2'),
  };
}
