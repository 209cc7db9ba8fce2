/**
 * kvmclock: the guest reads time from a page that says how the TSC turns into nanoseconds. Both are one and the same
 * here (TSC = 1 GHz), so the page is written once. Linux Documentation/virt/kvm/x86/msr.rst.
 */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { msr } from '../../spec/x86/msr.ts';
import type { MsrSpace } from '../processor.ts';

const enable = 1n;
/** ((ticks << 1) × 2^31) >> 32 = ticks. */
const multiplier = 0x8000_0000;
const shift = 1;
const tscStable = 1;

export interface KvmClockState {
  readonly systemTime: bigint;
  readonly wallClock: bigint;
}

export class KvmClock implements MsrSpace {
  readonly #memory: GuestMemory;
  readonly #readTsc: () => bigint;
  readonly #nowNs: () => number;
  readonly #wallClockMs: () => number;
  #systemTime = 0n;
  #wallClock = 0n;

  constructor(memory: GuestMemory, time: { readTsc: () => bigint; nowNs: () => number; wallClockMs: () => number }) {
    this.#memory = memory;
    this.#readTsc = time.readTsc;
    this.#nowNs = time.nowNs;
    this.#wallClockMs = time.wallClockMs;
  }

  reset(): void {
    this.#systemTime = 0n;
    this.#wallClock = 0n;
  }

  save(): KvmClockState {
    return { systemTime: this.#systemTime, wallClock: this.#wallClock };
  }

  restore(state: KvmClockState): void {
    this.#systemTime = state.systemTime;
    this.#wallClock = state.wallClock;
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

  /** The guest set its time-stamp counter. */
  tscChanged(): void {
    this.#publish();
  }

  /** struct pvclock_vcpu_time_info; its version is odd while it changes. */
  #publish(): void {
    if ((this.#systemTime & enable) === 0n) return;
    const at = Number(this.#systemTime & ~enable);
    const memory = this.#memory;
    const version = (memory.readU32(at) | 1) >>> 0;
    memory.writeU32(at, version);
    memory.writeU64(at + 8, this.#readTsc());
    memory.writeU64(at + 16, BigInt(this.#nowNs()));
    memory.writeU32(at + 24, multiplier);
    memory.writeU8(at + 28, shift);
    memory.writeU8(at + 29, tscStable);
    memory.writeU32(at, (version + 1) >>> 0);
  }

  /** struct pvclock_wall_clock: the time of day at which the machine's clock was 0. */
  #publishWallClock(at: number): void {
    const bootNs = Math.round(this.#wallClockMs() * 1e6 - this.#nowNs());
    const memory = this.#memory;
    const version = (memory.readU32(at) | 1) >>> 0;
    memory.writeU32(at, version);
    memory.writeU32(at + 4, Math.floor(bootNs / 1e9));
    memory.writeU32(at + 8, bootNs % 1e9);
    memory.writeU32(at, (version + 1) >>> 0);
  }
}
