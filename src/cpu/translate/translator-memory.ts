/** The translator's memory accesses: a TLB probe and a direct access, or a slow path out of line. */
import { callFor, loadFrom } from '../../wasm/expression.ts';
import type { Value, ValueType } from '../../wasm/types.ts';
import { segmentNumber } from '../interpret/assemble.ts';
import { guestLoad, guestStore, memoryType, regionAccess, stackAccess } from '../interpret/interpreter-ops.ts';
import { segmentAt, segmentField, segmentIndex, state, tlb } from '../state/layout.ts';
import { TranslatorFlags } from './translator-flags.ts';

const guestRam = 1;

export abstract class TranslatorMemory extends TranslatorFlags {
  #tlbEntry(linear: Value): Value {
    const index = this.and(this.wrap(this.shrU(linear, 12)), tlb.entries - 1);
    return this.let(this.add(this.get(this.frame.tlbBase), this.shl(index, 4)));
  }

  #tlbHit(entry: Value, linear: Value, bytes: number, table: number): Value {
    const page = this.and(this.add(linear, bytes - 1), -4096n);
    return this.eq(super.loadState64(entry, table + tlb.tag), page);
  }

  #ramAddress(entry: Value, linear: Value, table: number): Value {
    return this.add(this.wrap(linear), this.loadState32(entry, table + tlb.addend));
  }

  /** A slow path that fails, or refuses to overwrite code, leaves the region with nothing done. */
  #callSlow(functionIndex: number, linear: Value, bytes: number): void {
    const segment = this.impliedSegments.get(linear) ?? segmentNumber(this.running, true);
    const access = bytes | regionAccess | (segment === segmentIndex.flatStack ? stackAccess : 0);
    this.code.if(
      callFor('i32', functionIndex, [linear, this.i32(access)]),
      () => this.cold(() => this.leaveFault()),
      undefined,
      false,
    );
  }

  loadMemory(linear: Value, bytes: number): Value {
    const type = memoryType(bytes);
    const result = this.variable(type);
    const entry = this.#tlbEntry(linear);
    this.code.if(
      this.#tlbHit(entry, linear, bytes, 0),
      () => this.set(result, loadFrom(guestLoad(bytes), type, this.#ramAddress(entry, linear, 0), 0, guestRam)),
      () => {
        this.#callSlow(this.frame.functions.readSlow, linear, bytes);
        this.set(result, this.#scratchValue(bytes, type));
      },
      true,
    );
    return this.get(result);
  }

  #scratchValue(bytes: number, type: ValueType): Value {
    return loadFrom(guestLoad(bytes), type, this.i32(0), state.scratch, 0);
  }

  storeMemory(linear: Value, bytes: number, value: Value): void {
    const bound = this.let(value);
    const entry = this.#tlbEntry(linear);
    this.code.if(
      this.#tlbHit(entry, linear, bytes, tlb.writeOffset),
      () => this.#storeRam(this.#ramAddress(entry, linear, tlb.writeOffset), bytes, bound),
      () => this.#storeSlow(linear, bytes, bound),
      true,
    );
  }

  #storeRam(address: Value, bytes: number, value: Value): void {
    this.code.store(guestStore(bytes), address, value, 0, guestRam);
  }

  #storeSlow(linear: Value, bytes: number, value: Value): void {
    this.code.store(guestStore(bytes), this.i32(0), value, state.scratch, 0);
    this.#callSlow(this.frame.functions.writeSlow, linear, bytes);
  }

  modifyMemory(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    const type = memoryType(bytes);
    const old = this.variable(type);
    const address = this.variable('i32');
    const direct = this.variable('i32');
    const entry = this.#tlbEntry(linear);
    this.set(direct, this.#tlbHit(entry, linear, bytes, tlb.writeOffset));
    this.code.if(
      this.get(direct),
      () => {
        this.set(address, this.#ramAddress(entry, linear, tlb.writeOffset));
        this.set(old, loadFrom(guestLoad(bytes), type, this.get(address), 0, guestRam));
      },
      () => {
        this.#callSlow(this.frame.functions.readForWriteSlow, linear, bytes);
        this.set(old, this.#scratchValue(bytes, type));
      },
      true,
    );
    const changed = this.let(change(this.get(old)));
    this.code.if(
      this.get(direct),
      () => this.#storeRam(this.get(address), bytes, changed),
      () => this.#storeSlow(linear, bytes, changed),
      true,
    );
    return this.get(old);
  }

  probeWrite(linear: Value, bytes: number): void {
    const entry = this.#tlbEntry(linear);
    const miss = this.isZero(this.#tlbHit(entry, linear, bytes, tlb.writeOffset));
    this.code.if(miss, () => this.#callSlow(this.frame.functions.readForWriteSlow, linear, bytes), undefined, false);
  }

  protected segmentBase(): Value {
    return super.loadState64(segmentAt(segmentNumber(this.running, true)) + segmentField.base);
  }

  copyInPage(source: Value, target: Value, bytes: Value): Value {
    const done = this.variable('i32', this.i32(0));
    const from = this.#tlbEntry(source);
    const to = this.#tlbEntry(target);
    const hit = this.and(this.#tlbHit(from, source, 1, 0), this.#tlbHit(to, target, 1, tlb.writeOffset));
    this.code.if(hit, () => {
      const length = this.let(this.wrap(bytes));
      const sourceRam = this.let(this.#ramAddress(from, source, 0));
      const targetRam = this.let(this.#ramAddress(to, target, tlb.writeOffset));
      this.code.if(this.geU(this.sub(targetRam, sourceRam), length), () => {
        this.code.memoryCopy(guestRam, targetRam, sourceRam, length);
        this.set(done, this.i32(1));
      });
    });
    return this.get(done);
  }

  fillInPage(target: Value, bytes: Value, element: Value, elementBytes: number): Value {
    const done = this.variable('i32', this.i32(0));
    const entry = this.#tlbEntry(target);
    const byte = this.let(this.and(this.wrap(element), 0xff));
    const pattern = 0x0101_0101_0101_0101n & ((1n << BigInt(elementBytes * 8)) - 1n);
    const repeated = this.resizeU(this.mul(this.extendU(byte), pattern), 64, elementBytes * 8);
    this.code.if(this.and(this.#tlbHit(entry, target, 1, tlb.writeOffset), this.eq(repeated, element)), () => {
      this.code.memoryFill(guestRam, this.#ramAddress(entry, target, tlb.writeOffset), byte, this.wrap(bytes));
      this.set(done, this.i32(1));
    });
    return this.get(done);
  }
}
