/**
 * kvmclock: the guest reads time from a page of each processor that says how its TSC turns into nanoseconds. Both are
 * one and the same here (TSC = 1 GHz), so a page is written once. Linux Documentation/virt/kvm/x86/msr.rst.
 */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { msr } from '../../spec/x86/msr.ts';
import type { MsrSpace } from '../processor.ts';

const enable = 1n;
/** ((ticks << 1) × 2^31) >> 32 = ticks. */
const multiplier = 0x8000_0000;
const shift = 1;
/** The clocks of all processors agree, so that the guest need not keep them from going back between two. */
const tscStable = 1;
/** struct pvclock_vcpu_time_info. */
const field = { version: 0, tscTimestamp: 8, systemTime: 16, multiplier: 24, shift: 28, flags: 29 } as const;

export interface KvmClockState {
  readonly systemTime: bigint;
  readonly wallClock: bigint;
}

/** 64-bit words: the wall-clock MSR, which all processors share, then each processor's page and adjustment of its TSC. */
const word = { wallClock: 0, processors: 1 } as const;
const processorWord = { systemTime: 0, tscAdjust: 1, count: 2 } as const;

/** What the clocks of a machine's processors share between their threads. */
export const allocateKvmClocks = (processors: number): SharedArrayBuffer =>
  new SharedArrayBuffer(8 * (word.processors + processors * processorWord.count));

export interface KvmClockTime {
  /** IA32_TSC_ADJUST: what the TSC shows when `nowNs` is 0. */
  readonly tscAdjust: () => bigint;
  /** Nanoseconds since power-on, the same on all threads. */
  readonly nowNs: () => number;
  readonly wallClockMs: () => number;
}

/** The clock of one processor. */
export class KvmClock implements MsrSpace {
  readonly #memory: GuestMemory;
  readonly #time: KvmClockTime;
  readonly #words: BigUint64Array<SharedArrayBuffer>;
  readonly #own: number;

  /** @param shared from `allocateKvmClocks`; absent: there is one processor */
  constructor(memory: GuestMemory, time: KvmClockTime, shared = allocateKvmClocks(1), processor = 0) {
    this.#memory = memory;
    this.#time = time;
    this.#words = new BigUint64Array(shared);
    this.#own = word.processors + processor * processorWord.count;
  }

  save(): KvmClockState {
    return { systemTime: this.#systemTime, wallClock: this.#wallClock };
  }

  restore(state: KvmClockState): void {
    this.#systemTime = state.systemTime;
    this.#wallClock = state.wallClock;
    this.tscChanged();
    this.#publish();
  }

  read(index: number): bigint | undefined {
    if (index === msr.kvmSystemTimeNew || index === msr.kvmSystemTime) return this.#systemTime;
    if (index === msr.kvmWallClockNew || index === msr.kvmWallClock) return this.#wallClock;
    return undefined;
  }

  write(index: number, value: bigint): boolean {
    if (index === msr.kvmSystemTimeNew || index === msr.kvmSystemTime) {
      this.#systemTime = value;
      this.#publish();
      return true;
    }
    if (index === msr.kvmWallClockNew || index === msr.kvmWallClock) {
      this.#wallClock = value;
      this.#publishWallClock(Number(value));
      return true;
    }
    return false;
  }

  /** The guest set this processor's time-stamp counter. */
  tscChanged(): void {
    Atomics.store(this.#words, this.#own + processorWord.tscAdjust, BigInt.asUintN(64, this.#time.tscAdjust()));
    this.#publish();
    // To the other processors' pages, it matters only whether the counters still agree.
    for (let at = word.processors; at < this.#words.length; at += processorWord.count) {
      if (at !== this.#own) this.#publishFlags(Atomics.load(this.#words, at + processorWord.systemTime));
    }
  }

  get #systemTime(): bigint {
    return Atomics.load(this.#words, this.#own + processorWord.systemTime);
  }

  set #systemTime(value: bigint) {
    Atomics.store(this.#words, this.#own + processorWord.systemTime, value);
  }

  get #wallClock(): bigint {
    return Atomics.load(this.#words, word.wallClock);
  }

  set #wallClock(value: bigint) {
    Atomics.store(this.#words, word.wallClock, value);
  }

  /** The version is odd while the page changes. */
  #publish(): void {
    const systemTime = this.#systemTime;
    if ((systemTime & enable) === 0n) return;
    const at = pageOf(systemTime);
    const memory = this.#memory;
    const version = (memory.readU32(at + field.version) | 1) >>> 0;
    memory.writeU32(at + field.version, version);
    // Power-on, rather than now: two readings of a clock would differ, and so would the processors.
    memory.writeU64(at + field.tscTimestamp, BigInt.asUintN(64, this.#time.tscAdjust()));
    memory.writeU64(at + field.systemTime, 0n);
    memory.writeU32(at + field.multiplier, multiplier);
    memory.writeU8(at + field.shift, shift);
    this.#publishFlags(systemTime);
    memory.writeU32(at + field.version, (version + 1) >>> 0);
  }

  /** Whoever writes last has seen the last change of a counter, on whichever thread. */
  #publishFlags(systemTime: bigint): void {
    if ((systemTime & enable) === 0n) return;
    for (let flags = -1; flags !== this.#flags(); ) {
      flags = this.#flags();
      this.#memory.writeU8(pageOf(systemTime) + field.flags, flags);
    }
  }

  #flags(): number {
    const first = Atomics.load(this.#words, word.processors + processorWord.tscAdjust);
    for (let at = word.processors; at < this.#words.length; at += processorWord.count) {
      if (Atomics.load(this.#words, at + processorWord.tscAdjust) !== first) return 0;
    }
    return tscStable;
  }

  /** struct pvclock_wall_clock: the time of day at which the machine's clock was 0. */
  #publishWallClock(at: number): void {
    const bootNs = Math.round(this.#time.wallClockMs() * 1e6 - this.#time.nowNs());
    const memory = this.#memory;
    const version = (memory.readU32(at) | 1) >>> 0;
    memory.writeU32(at, version);
    memory.writeU32(at + 4, Math.floor(bootNs / 1e9));
    memory.writeU32(at + 8, bootNs % 1e9);
    memory.writeU32(at, (version + 1) >>> 0);
  }
}

const pageOf = (systemTime: bigint): number => Number(systemTime & ~enable);
