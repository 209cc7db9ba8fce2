/** The translator's memory accesses: a TLB probe and a direct access, or a slow path out of line. */
import { callFor, loadFrom } from '../../wasm/expression.ts';
import type { Value, ValueType } from '../../wasm/types.ts';
import { guestRam, loadOpcode, memoryType, storeOpcode } from '../emit/access-opcodes.ts';
import { exchangeInRam } from '../emit/exchange-in-ram.ts';
import { segmentNumber } from '../interpret/assemble.ts';
import { type Probe, regionAccess, stackAccess, tlbEntryShift } from '../interpret/interpreter-ops.ts';
import { segmentAt, segmentField, segmentIndex, state, tlb } from '../state/layout.ts';
import { TranslatorFlags } from './translator-flags.ts';

export abstract class TranslatorMemory extends TranslatorFlags {
  /** Looks `linear` up in the read or write table, which lies `table` above the TLB set's start. */
  #probe(linear: Value, bytes: number, table: number): Probe {
    const index = this.wrap(this.and(this.shrU(linear, 12 - tlbEntryShift), (tlb.entries - 1) << tlbEntryShift));
    const entry = this.let(this.add(this.get(this.frame.tlbBase), index));
    const tag = this.let(super.loadState64(entry, table + tlb.tag));
    const hit = this.eq(tag, this.and(this.add(linear, bytes - 1), -4096n));
    const ram = this.add(this.wrap(linear), this.loadState32(entry, table + tlb.addend));
    return { hit, tag, ram };
  }

  /** A slow path that fails, or refuses to overwrite code, leaves the region with nothing done. */
  #callSlow(functionIndex: number, linear: Value, bytes: number, tag: Value): void {
    const segment = this.impliedSegments.get(linear) ?? segmentNumber(this.running.segment, true);
    const access = bytes | regionAccess | (segment === segmentIndex.flatStack ? stackAccess : 0);
    this.code.if(
      callFor('i32', functionIndex, [linear, this.i32(access), tag]),
      () => this.cold(() => this.leaveFault()),
      undefined,
      false,
    );
  }

  loadMemory(linear: Value, bytes: number, type = memoryType(bytes)): Value {
    const result = this.variable(type);
    const probe = this.#probe(linear, bytes, 0);
    this.code.if(
      probe.hit,
      () => this.set(result, loadFrom(loadOpcode(bytes, type), type, probe.ram, 0, guestRam)),
      () => {
        this.#callSlow(this.frame.functions.readSlow, linear, bytes, probe.tag);
        this.set(result, this.#scratchValue(bytes, type));
      },
      true,
    );
    return this.get(result);
  }

  #scratchValue(bytes: number, type: ValueType): Value {
    return loadFrom(loadOpcode(bytes, type), type, this.i32(0), state.scratch, 0);
  }

  storeMemory(linear: Value, bytes: number, value: Value): void {
    const bound = this.let(value);
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    this.code.if(
      probe.hit,
      () => this.#storeRam(probe.ram, bytes, bound),
      () => this.#storeSlow(linear, bytes, bound, probe.tag),
      true,
    );
  }

  #storeRam(address: Value, bytes: number, value: Value): void {
    this.code.store(storeOpcode(bytes, value.type), address, value, 0, guestRam);
  }

  #storeSlow(linear: Value, bytes: number, value: Value, tag: Value): void {
    this.code.store(storeOpcode(bytes, value.type), this.i32(0), value, state.scratch, 0);
    this.#callSlow(this.frame.functions.writeSlow, linear, bytes, tag);
  }

  modifyMemory(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    return this.form.locked ? this.#modifyLocked(linear, bytes, change) : this.#modify(linear, bytes, change);
  }

  /** What is not aligned RAM is left to the interpreter. */
  #modifyLocked(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    const old = this.variable(memoryType(bytes));
    this.probeWrite(linear, bytes);
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    const misaligned = this.and(this.wrap(linear), bytes - 1);
    const missed = this.isZero(probe.hit);
    this.code.if(this.or(missed, misaligned), () => this.cold(() => this.leaveFault()), undefined, false);
    exchangeInRam(this, this.let(probe.ram), bytes, old, change);
    return this.get(old);
  }

  #modify(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    const type = memoryType(bytes);
    const old = this.variable(type);
    const address = this.variable('i32');
    const direct = this.variable('i32');
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    this.set(direct, probe.hit);
    this.code.if(
      this.get(direct),
      () => {
        this.set(address, probe.ram);
        this.set(old, loadFrom(loadOpcode(bytes, type), type, this.get(address), 0, guestRam));
      },
      () => {
        this.#callSlow(this.frame.functions.readForWriteSlow, linear, bytes, probe.tag);
        this.set(old, this.#scratchValue(bytes, type));
      },
      true,
    );
    const changed = this.let(change(this.get(old)));
    this.code.if(
      this.get(direct),
      () => this.#storeRam(this.get(address), bytes, changed),
      () => this.#storeSlow(linear, bytes, changed, probe.tag),
      true,
    );
    return this.get(old);
  }

  probeWrite(linear: Value, bytes: number): void {
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    this.code.if(
      this.isZero(probe.hit),
      () => this.#callSlow(this.frame.functions.readForWriteSlow, linear, bytes, probe.tag),
      undefined,
      false,
    );
  }

  protected segmentBase(): Value {
    return super.loadState64(segmentAt(segmentNumber(this.running.segment, true)) + segmentField.base);
  }

  copyInPage(source: Value, target: Value, bytes: Value, down: Value): Value {
    const done = this.variable('i32', this.i32(0));
    const from = this.#probe(source, 1, 0);
    const to = this.#probe(target, 1, tlb.writeOffset);
    const hit = this.and(from.hit, to.hit);
    this.code.if(hit, () => {
      const length = this.let(this.wrap(bytes));
      const sourceRam = this.let(from.ram);
      const targetRam = this.let(to.ram);
      const ahead = this.let(this.sub(targetRam, sourceRam));
      const apart = this.select(down, this.sub(this.i32(0), ahead), ahead);
      this.code.if(this.geU(apart, length), () => {
        this.code.memoryCopy(guestRam, targetRam, sourceRam, length);
        this.set(done, this.i32(1));
      });
    });
    return this.get(done);
  }

  fillInPage(target: Value, bytes: Value, element: Value, elementBytes: number): Value {
    const done = this.variable('i32', this.i32(0));
    const probe = this.#probe(target, 1, tlb.writeOffset);
    const byte = this.let(this.and(this.wrap(element), 0xff));
    const pattern = 0x0101_0101_0101_0101n & ((1n << BigInt(elementBytes * 8)) - 1n);
    const repeated = this.resizeU(this.mul(this.extendU(byte), pattern), 64, elementBytes * 8);
    this.code.if(this.and(probe.hit, this.eq(repeated, element)), () => {
      this.code.memoryFill(guestRam, probe.ram, byte, this.wrap(bytes));
      this.set(done, this.i32(1));
    });
    return this.get(done);
  }
}
