/** Pushing frames on a stack that is not (yet) the current one. Nothing is committed until the whole frame is written. */
import { type GuestFault, generalProtection, stackFault } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { attribute, canonical, type SegmentValue } from '../state/cpu-state.ts';

const mask16 = 0xffff;

/** A stack in 16- or 32-bit terms: a segment and a pointer. Accesses run with supervisor rights unless `user`. */
export class FrameStack {
  pointer: number;
  readonly segment: SegmentValue;
  readonly #cpu: Processor;
  readonly #implicit: boolean;
  readonly #mask: number;
  readonly #fault: () => GuestFault;

  constructor(
    cpu: Processor,
    segment: SegmentValue,
    pointer: number,
    options: { implicit: boolean; fault?: () => GuestFault },
  ) {
    this.#cpu = cpu;
    this.segment = segment;
    this.#implicit = options.implicit;
    this.#mask = (segment.attributes & attribute.big) !== 0 ? 0xffff_ffff : mask16;
    this.#fault = options.fault ?? (() => stackFault());
    this.pointer = (pointer & this.#mask) >>> 0;
  }

  #linear(offset: number, bytes: number): number {
    const { attributes, limit, base } = this.segment;
    const last = offset + bytes - 1;
    const expandDown = (attributes & (attribute.code | attribute.expandDown)) === attribute.expandDown;
    const inside = expandDown ? offset > limit && last <= this.#mask : last <= limit;
    if (!inside) throw this.#fault();
    return Number(BigInt.asUintN(32, base + BigInt(offset)));
  }

  /** Pushes `bytes` (2 or 4). */
  push(value: number, bytes: 2 | 4): void {
    const next = ((this.pointer - bytes) & this.#mask) >>> 0;
    this.#cpu.mmu.write(this.#linear(next, bytes), bytes, value, this.#implicit);
    this.pointer = next;
  }

  /** Faults as `count` pushes of `bytes` would. */
  probe(bytes: 2 | 4, count: number): void {
    const { pointer } = this;
    const { mmu } = this.#cpu;
    for (let n = 1; n <= count; n++)
      mmu.probeWrite(this.#linear(((pointer - n * bytes) & this.#mask) >>> 0, bytes), bytes, this.#implicit);
  }

  /** Reads `bytes` at `offset` above the pointer. */
  peek(offset: number, bytes: 2 | 4): number {
    return this.#cpu.mmu.read(this.#linear(((this.pointer + offset) & this.#mask) >>> 0, bytes), bytes, this.#implicit);
  }

  /** Moves the pointer up. */
  drop(bytes: number): void {
    this.pointer = ((this.pointer + bytes) & this.#mask) >>> 0;
  }

  /** Reads `bytes` at the pointer and moves it up. */
  pop(bytes: 2 | 4): number {
    const value = this.peek(0, bytes);
    this.drop(bytes);
    return value;
  }

  /** The pointer merged into `old`, as a write of SP or ESP. */
  merged(old: bigint): bigint {
    return this.#mask === mask16 ? (old & ~0xffffn) | BigInt(this.pointer) : BigInt(this.pointer);
  }
}

/** A 64-bit stack: no limits, but canonical addresses. */
export class LongStack {
  pointer: bigint;
  readonly #cpu: Processor;
  readonly #implicit: boolean;

  constructor(cpu: Processor, pointer: bigint, implicit: boolean) {
    this.#cpu = cpu;
    this.pointer = BigInt.asUintN(64, pointer);
    this.#implicit = implicit;
  }

  #linear(pointer: bigint, bytes: number): number {
    const linear = canonical(pointer);
    if (linear === undefined || canonical(BigInt.asUintN(64, pointer + BigInt(bytes - 1))) === undefined)
      throw stackFault();
    return linear;
  }

  /** Pushes `bytes`. */
  push(value: bigint, bytes: 2 | 4 | 8 = 8): void {
    const { mmu } = this.#cpu;
    const next = BigInt.asUintN(64, this.pointer - BigInt(bytes));
    const linear = this.#linear(next, bytes);
    if (bytes === 8) mmu.write64(linear, value, this.#implicit);
    else mmu.write(linear, bytes, Number(BigInt.asUintN(32, value)), this.#implicit);
    this.pointer = next;
  }

  /** Faults as `count` pushes of `bytes` would. */
  probe(bytes: 2 | 4 | 8, count: number): void {
    const { mmu } = this.#cpu;
    for (let n = 1; n <= count; n++) {
      mmu.probeWrite(this.#linear(BigInt.asUintN(64, this.pointer - BigInt(n * bytes)), bytes), bytes, this.#implicit);
    }
  }

  /** Reads `bytes` at `offset` above the pointer. */
  peek(offset: number, bytes: 2 | 4 | 8): bigint {
    const { mmu } = this.#cpu;
    const linear = this.#linear(BigInt.asUintN(64, this.pointer + BigInt(offset)), bytes);
    return bytes === 8 ? mmu.read64(linear, this.#implicit) : BigInt(mmu.read(linear, bytes, this.#implicit));
  }

  /** Moves the pointer up. */
  drop(bytes: number): void {
    this.pointer = BigInt.asUintN(64, this.pointer + BigInt(bytes));
  }
}

/** An instruction pointer that must be canonical. @throws #GP(0). */
export function canonicalTarget(address: bigint): bigint {
  if (canonical(address) === undefined) throw generalProtection();
  return BigInt.asUintN(64, address);
}
