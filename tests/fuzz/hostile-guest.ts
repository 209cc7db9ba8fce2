/** A bare machine that runs random code in one mode, started again from random registers whenever it comes to a stop. */
import { segmentIndex } from '../../src/cpu/state/layout.ts';
import { type BareMachine, bareMachine, enterLongMode } from '../../src/cpu/testing/bare-machine.ts';
import { cr0, cr4 } from '../../src/spec/x86/registers.ts';
import { Random } from '../oracle/random.ts';
import { codeKinds, fillWithCode } from './generator.ts';

export type CodeSize = 16 | 32 | 64;
export type Translates = 'never' | 'hot' | 'always' | 'staying' | 'verify';

/** The real-mode vectors, the tables, code, data and stack: everything that random registers like to point at. */
const layout = { gdt: 0x7000, idt: 0x8000, tss: 0x9000, code: 0x1_0000, codeBytes: 0x4000, arena: 0x2_0000 } as const;
const segments = [segmentIndex.ss, segmentIndex.ds, segmentIndex.es, segmentIndex.fs, segmentIndex.gs] as const;
const rsp = 4;
/** log2 of the instructions of the longest runs. Where everything is translated, code that changes itself is at each of them: 25 ms. */
const longestRuns: Readonly<Record<Translates, number>> = { never: 14, hot: 14, always: 11, staying: 11, verify: 11 };
/** Runs of one filling of memory. */
const runsPerFill = 24;

export interface Run {
  readonly budget: number;
  /** Instructions that it ran. */
  readonly instructions: number;
  readonly exit: string;
}

export class HostileGuest {
  readonly #machine: BareMachine;
  readonly #size: CodeSize;
  readonly #longestRun: number;
  readonly #random: Random;
  #runs = 0;
  #stopped = true;

  constructor(size: CodeSize, translates: Translates, seed: number) {
    this.#machine = bareMachine(2, translates);
    this.#size = size;
    this.#longestRun = longestRuns[translates];
    this.#random = new Random(seed, size, 'hostile guest');
  }

  /** A few instructions more, or many. */
  run(): Run {
    const { vcpu } = this.#machine;
    const budget = 2 ** this.#random.between(6, this.#longestRun);
    if (this.#stopped) this.#start();
    if (this.#random.chance(5)) vcpu.signalNmi();
    const before = vcpu.instructions;
    const exit = vcpu.run(budget);
    this.#stopped = exit !== 'budget' || this.#random.chance(40);
    return { budget, instructions: vcpu.instructions - before, exit };
  }

  /** Where it is, for reports. */
  describe(): string {
    const { state } = this.#machine.vcpu;
    return `run ${this.#runs}, rip ${state.rip.toString(16)}, cr0 ${state.get64('cr0').toString(16)}`;
  }

  #start(): void {
    const { vcpu, memory } = this.#machine;
    vcpu.reset();
    if (this.#runs++ % runsPerFill === 0) this.#fill();
    if (this.#size === 64) this.#enterLong();
    else if (this.#size === 32) this.#enterProtected();
    else this.#enterReal();
    const { state } = vcpu;
    for (let number = 0; number < 16; number++) state.setGpr(number, this.#value());
    state.setGpr(rsp, BigInt(layout.arena + this.#random.below(0x8000) * 2));
    if (this.#size !== 64) state.setGpr(rsp, BigInt(0x2000 + this.#random.below(0x4000) * 2));
    if (this.#random.chance(50)) state.eflags = (this.#random.u32() & 0x0004_7ed5) | 2;
    memory.writeU8(0, memory.readU8(0));
    vcpu.modeChanged();
  }

  #entry(): number {
    return this.#random.below(layout.codeBytes);
  }

  /** A register: an address in use, a small number, an edge, or anything. */
  #value(): bigint {
    const random = this.#random;
    switch (random.below(5)) {
      case 0:
        return BigInt(layout.code + this.#entry());
      case 1:
        return BigInt(layout.arena + random.below(0x1_0000));
      case 2:
        return BigInt(random.below(64));
      case 3:
        return random.pick([0x7fff_ffff_ffffn, 0xffff_8000_0000_0000n, 0xffff_ffffn, 0xffff_ffff_ffff_fff0n] as const);
      default:
        return random.u64();
    }
  }

  #fill(): void {
    const random = this.#random;
    const { memory } = this.#machine;
    const code = new Uint8Array(layout.codeBytes);
    fillWithCode(random, random.pick(codeKinds), code);
    memory.write(layout.code, code);
    const arena = new Uint8Array(0x1_0000);
    for (let at = 0; at < arena.length; at++) arena[at] = random.below(256);
    memory.write(layout.arena, arena);
    memory.write(0, arena.subarray(0, 0x1000));
    for (let vector = 0; vector < 256; vector++) this.#gate(vector);
    for (let slot = 1; slot < 512; slot++) this.#descriptor(slot);
    for (let at = 0; at < 0x100; at += 4) memory.writeU32(layout.tss + at, layout.arena + random.below(0x8000) * 2);
  }

  /** Mostly an interrupt or trap gate into the code, at times any other. */
  #gate(vector: number): void {
    const random = this.#random;
    const { memory } = this.#machine;
    if (this.#size === 16) {
      memory.writeU32(vector * 4, random.chance(90) ? (0x1000 << 16) | this.#entry() : random.u32());
      return;
    }
    const target = BigInt(layout.code + this.#entry());
    const type = random.chance(90) ? random.pick([0x8e, 0x8f, 0xee] as const) : random.below(256);
    const ist = this.#size === 64 && random.chance(30) ? random.below(8) : 0;
    const selector = random.chance(95) ? 8 : random.below(0x1000);
    const attributes = BigInt((type << 8) | ist);
    const gate = (target & 0xffffn) | (BigInt(selector) << 16n) | (attributes << 32n) | ((target >> 16n) << 48n);
    if (this.#size === 32) {
      memory.writeU64(layout.idt + vector * 8, gate);
      return;
    }
    memory.writeU64(layout.idt + vector * 16, gate);
    memory.writeU64(layout.idt + vector * 16 + 8, random.chance(98) ? 0n : random.u64());
  }

  /** Slots 1 to 4 are what the modes start with, the rest anything at all. */
  #descriptor(slot: number): void {
    const fixed = [0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_9b00_0000_ffffn];
    if (this.#size === 32) fixed[1] = 0x00cf_9b00_0000_ffffn;
    const value = fixed[slot] ?? (this.#random.u64() & 0xffff_ff00_0000_ffffn) | 0x0000_8f01_0000_0000n;
    this.#machine.memory.writeU64(layout.gdt + slot * 8, this.#random.chance(99) ? value : this.#random.u64());
  }

  #tables(idtLimit: number): void {
    const { state } = this.#machine.vcpu;
    state.setTable('gdtr', BigInt(layout.gdt), 0xfff);
    state.setTable('idtr', BigInt(layout.idt), idtLimit);
    const attributes = this.#size === 16 ? 0x83 : 0x8b;
    state.setSegment(segmentIndex.tr, { selector: 0x28, base: BigInt(layout.tss), limit: 0x2067, attributes });
  }

  #enterLong(): void {
    enterLongMode(this.#machine, layout.code + this.#entry(), this.#random.chance(50) ? 0 : 3);
    this.#tables(0xfff);
  }

  #enterProtected(): void {
    const { vcpu } = this.#machine;
    const { state } = vcpu;
    const cpl = this.#random.chance(50) ? 0 : 3;
    state.set64('cr0', BigInt(cr0.pe | cr0.ne | cr0.et));
    state.set64('cr4', BigInt(cr4.osfxsr | cr4.osxmmexcpt));
    const dpl = cpl << 5;
    const flat = { base: 0n, limit: 0xffff_ffff };
    state.setSegment(segmentIndex.cs, { ...flat, selector: 8 | cpl, attributes: 0xc09b | dpl });
    for (const index of segments) state.setSegment(index, { ...flat, selector: 16 | cpl, attributes: 0xc093 | dpl });
    state.cpl = cpl;
    state.rip = BigInt(layout.code + this.#entry());
    this.#tables(0x7ff);
    vcpu.flushTlb('all');
  }

  #enterReal(): void {
    const { vcpu } = this.#machine;
    const { state } = vcpu;
    state.set64('cr0', BigInt(cr0.et));
    state.set64('cr4', BigInt(cr4.osfxsr | cr4.osxmmexcpt));
    const code = { selector: 0x1000, base: 0x1_0000n, limit: 0xffff };
    state.setSegment(segmentIndex.cs, { ...code, attributes: 0x9b });
    for (const index of segments) {
      const selector = this.#random.pick([0x1000, 0x2000, 0, 0xffff] as const);
      state.setSegment(index, { selector, base: BigInt(selector) << 4n, limit: 0xffff, attributes: 0x93 });
    }
    state.rip = BigInt(this.#entry());
    vcpu.flushTlb('all');
  }
}
