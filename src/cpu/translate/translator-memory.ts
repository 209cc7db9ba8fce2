/** The translator's memory accesses: a TLB probe and a direct access, or a slow path out of line. */
import type { CodeBuilder, Label } from '../../wasm/code-builder.ts';
import { callFor, lateConstant, loadFrom } from '../../wasm/expression.ts';
import type { LateNumber } from '../../wasm/late-number.ts';
import { load } from '../../wasm/opcodes.ts';
import type { Local, Value, ValueType } from '../../wasm/types.ts';
import { guestRam, loadOpcode, memoryType, storeOpcode } from '../emit/access-opcodes.ts';
import { emitCopy, emitFill } from '../emit/bulk-moves.ts';
import type { Unless } from '../emit/emitter.ts';
import { exchangeInRam } from '../emit/exchange-in-ram.ts';
import type { Access } from '../emit/ops.ts';
import { segmentOffset } from '../emit/segment-offset.ts';
import { forgetLookup, type Probe, tlbEntry } from '../emit/tlb-entry.ts';
import { segmentNumber } from '../interpret/assemble.ts';
import { regionAccess, stackAccess } from '../interpret/interpreter-ops.ts';
import { segmentAt, segmentField, segmentIndex, state, tlb } from '../state/layout.ts';
import { AccessGroups, type Membership, notInRam } from './access-groups.ts';
import type { Address } from './known-addresses.ts';
import { TranslatorFlags } from './translator-flags.ts';
import type { RegionFrame } from './translator-registers.ts';

type Offset = number | LateNumber;

/** Where an access goes if `hit`: to `ram` (i32) and `offset` beyond it. */
interface Place {
  /** Absent where the region would have been left before. */
  readonly hit: Value | undefined;
  /** See `sharedTypes.readSlow`. */
  readonly tag: Value;
  readonly ram: Value;
  readonly offset: Offset;
  /** Takes `ram` for the accesses that follow. */
  readonly keep?: Local;
}

export abstract class TranslatorMemory extends TranslatorFlags {
  readonly #groups: AccessGroups;
  /** Linear addresses that were not worked out, for they belong to a group. */
  readonly #members = new WeakMap<Value, Membership>();
  /** Changes of segments' bases so far. */
  #segmentChanges = 0;

  constructor(code: CodeBuilder, frame: RegionFrame) {
    super(code, frame);
    this.#groups = new AccessGroups({
      newLocal: () => code.pinnedLocal('i32'),
      table: (writes) => {
        const offset = writes ? tlb.writeOffset : 0;
        return { tag: offset + tlb.tag, addend: offset + tlb.addend };
      },
    });
  }

  // What is in these may run once, never or often.

  override if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#conditionally(() => super.if(condition, then, otherwise));
  }

  override ifUnlikely(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#conditionally(() => super.ifUnlikely(condition, then, otherwise));
  }

  override ifLikely(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#conditionally(() => super.ifLikely(condition, then, otherwise));
  }

  override ifAny(conditions: readonly Value[], rare: () => void, unless?: Unless): void {
    this.#conditionally(() => super.ifAny(conditions, rare, unless));
  }

  override loop(body: (again: Label) => void): void {
    this.#conditionally(() => super.loop(body));
  }

  override block(body: (leave: Label) => void): void {
    this.#conditionally(() => super.block(body));
  }

  #conditionally(emit: () => void): void {
    this.addresses.conditional++;
    emit();
    this.addresses.conditional--;
  }

  /** Emits the blocks that one leads to, and what they lead to: what they find out does not hold beside them. */
  subtree(emit: () => void): void {
    const mark = this.#groups.mark();
    const { registers, conditional } = this.addresses;
    this.addresses.conditional = 0;
    emit();
    this.addresses.registers = registers;
    this.addresses.conditional = conditional;
    this.#groups.release(mark);
  }

  /** A block begins; in a loop, what comes later may come before it, too. */
  beginBlock(inLoop: boolean): void {
    this.#groups.divide();
    if (inLoop) this.forgetPlaces();
  }

  /** What was found out of addresses so far does not hold for what comes. */
  protected forgetPlaces(): void {
    this.addresses.forget();
    this.#groups.forget();
    this.#segmentChanges++;
  }

  override selectTlb(set: Value): void {
    super.selectTlb(set);
    this.#groups.forget();
  }

  override storeState64(address: number, value: Value): void {
    if (address >= state.segments && address < segmentAt(segmentIndex.tr + 1)) this.#segmentChanges++;
    super.storeState64(address, value);
  }

  #entryOf(linear: Value): Value {
    return this.let(tlbEntry(this, this.get(this.frame.tlbBase), linear));
  }

  /** Looks `linear` up in the read or write table, which lies `table` above the TLB set's start. */
  #probe(linear: Value, bytes: number, table: number): Probe {
    const entry = this.#entryOf(linear);
    const tag = this.let(super.loadState64(entry, table + tlb.tag));
    const hit = this.eq(tag, this.and(this.add(linear, bytes - 1), -4096n));
    const ram = this.add(this.wrap(linear), this.loadState32(entry, table + tlb.addend));
    return { hit, tag, ram };
  }

  /** A slow path that fails, or refuses to overwrite code, leaves the region with nothing done. */
  #callSlow(functionIndex: number, linear: Value, bytes: number, tag: Value): void {
    const segment = this.impliedSegments.get(linear) ?? segmentNumber(this.running.segment, this.frame.long);
    const access = bytes | regionAccess | (segment === segmentIndex.flatStack ? stackAccess : 0);
    this.code.if(
      callFor('i32', functionIndex, [linear, this.i32(access), tag]),
      () => this.cold(() => this.leaveFault()),
      undefined,
      false,
    );
  }

  /** Notes where `offset` in a segment lies. An address whose group is known is worked out where it misses RAM alone. */
  linearIn(segment: number, offset: Value, bytes: number, access: Access): Value {
    const based = segment === segmentIndex.fs || segment === segmentIndex.gs;
    if (!this.frame.long && (based || segment === segmentIndex.cs))
      return this.#checked(segment, offset, bytes, access);
    const sum = based ? this.add(offset, super.loadState64(segmentAt(segment) + segmentField.base)) : offset;
    const address = based ? this.#inSegment(segment, offset) : this.addresses.of(offset);
    const member =
      address === undefined || access === 'modify' ? undefined : this.#groups.join(address, bytes, access === 'write');
    const linear = member === undefined ? this.let(sum) : { ...sum };
    if (member !== undefined) this.#members.set(linear, member);
    else if (based && address !== undefined) this.addresses.name(linear, address);
    this.impliedSegments.set(linear, segment);
    return linear;
  }

  /** In 32-bit code, in a segment that is not known to be flat. */
  #checked(segment: number, offset: Value, bytes: number, access: Access): Value {
    const parts = { segment: this.i32(segmentAt(segment)), offset, bytes, access };
    const linear = segmentOffset(this, parts, (parameters) => {
      const found = this.let(callFor('i64', this.frame.functions.segmentLinear, parameters));
      this.code.if(super.loadState32(state.fault), () => this.cold(() => this.leaveFault()), undefined, false);
      return found;
    });
    this.impliedSegments.set(linear, segment);
    return linear;
  }

  #inSegment(segment: number, offset: Value): Address | undefined {
    const address = this.addresses.of(offset);
    if (address === undefined) return undefined;
    return this.addresses.composed(`${address.base}+${segment}.${this.#segmentChanges}`, address.distance);
  }

  /** How to tell that an access of `bytes` at `linear` is one of RAM, and where there. */
  #place(linear: Value, bytes: number, writes: boolean): Place {
    const member = this.#members.get(linear);
    if (member !== undefined) return this.#within(member);
    const address = this.addresses.of(linear);
    if (address === undefined) return this.#alone(linear, bytes, writes);
    const joined = this.#groups.join(address, bytes, writes);
    return joined === undefined ? this.#first(linear, this.#groups.open(address, bytes, writes)) : this.#within(joined);
  }

  #alone(linear: Value, bytes: number, writes: boolean): Place {
    const { hit, tag, ram } = this.#probe(linear, bytes, writes ? tlb.writeOffset : 0);
    return { hit, tag, ram, offset: 0 };
  }

  /** The group's first: looks up its whole stretch. */
  #first(linear: Value, { group, offset }: Membership): Place {
    const start = this.let(this.add(linear, lateConstant(group.start)));
    const entry = this.#entryOf(start);
    const tag = this.let(loadFrom(load.i64, 'i64', entry, group.tag, 0));
    const hit = this.eq(tag, this.and(this.add(start, lateConstant(group.last)), -4096n));
    const ram = this.add(this.wrap(start), loadFrom(load.i32, 'i32', entry, group.addend, 0));
    return { hit, tag, ram, offset, keep: group.ram };
  }

  #within({ group, offset }: Membership): Place {
    const ram = this.get(group.ram);
    const hit = this.frame.leavesOnMiss ? undefined : this.ne(ram, notInRam);
    return { hit, tag: this.i64(0), ram, offset };
  }

  /** Where the access goes in RAM; otherwise the region is left. */
  #inRam({ hit, ram, keep }: Place): Value {
    if (hit !== undefined) this.#leaveUnless(hit);
    if (keep === undefined) return this.let(ram);
    this.set(keep, ram);
    return this.get(keep);
  }

  #leaveUnless(hit: Value): void {
    const leave = (): void => {
      if (this.countsLookups) forgetLookup(this); // The interpreter looks again.
      this.leaveFault();
    };
    this.code.if(this.isZero(hit), () => this.cold(leave), undefined, false);
  }

  /** Runs one of two: `direct` is given the access's place in RAM. */
  #either(place: Place, direct: (ram: Value, offset: Offset) => void, slow: () => void): void {
    const { hit, ram, offset, keep } = place;
    if (hit === undefined || this.frame.leavesOnMiss) {
      direct(this.#inRam(place), offset);
      return;
    }
    this.code.if(
      hit,
      () => {
        if (keep !== undefined) this.set(keep, ram);
        direct(keep === undefined ? ram : this.get(keep), offset);
      },
      () => {
        if (keep !== undefined) this.set(keep, this.i32(notInRam));
        slow();
      },
      true,
    );
  }

  loadMemory(linear: Value, bytes: number, type = memoryType(bytes)): Value {
    const place = this.#place(linear, bytes, false);
    const load = (ram: Value, offset: Offset): Value => loadFrom(loadOpcode(bytes, type), type, ram, offset, guestRam);
    if (this.frame.leavesOnMiss) return this.let(load(this.#inRam(place), place.offset));
    const result = this.variable(type);
    this.#either(
      place,
      (ram, offset) => this.set(result, load(ram, offset)),
      () => {
        this.#callSlow(this.frame.functions.readSlow, linear, bytes, place.tag);
        this.set(result, this.#scratchValue(bytes, type));
      },
    );
    return this.get(result);
  }

  #scratchValue(bytes: number, type: ValueType): Value {
    return loadFrom(loadOpcode(bytes, type), type, this.i32(0), state.scratch, 0);
  }

  storeMemory(linear: Value, bytes: number, value: Value): void {
    const bound = this.let(value);
    const place = this.#place(linear, bytes, true);
    this.#either(
      place,
      (ram, offset) => this.#storeRam(ram, offset, bytes, bound),
      () => this.#storeSlow(linear, bytes, bound, place.tag),
    );
  }

  #storeRam(address: Value, offset: Offset, bytes: number, value: Value): void {
    this.code.store(storeOpcode(bytes, value.type), address, value, offset, guestRam);
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
    const place = this.#place(linear, bytes, true);
    const load = (ram: Value): Value => loadFrom(loadOpcode(bytes, type), type, ram, place.offset, guestRam);
    if (place.hit === undefined || this.frame.leavesOnMiss) {
      const ram = this.#inRam(place);
      const was = this.let(load(ram));
      this.#storeRam(ram, place.offset, bytes, this.let(change(was)));
      return was;
    }
    const old = this.variable(type);
    const address = this.variable('i32');
    const direct = this.variable('i32');
    this.set(direct, place.hit);
    this.#either(
      { ...place, hit: this.get(direct) },
      (ram) => {
        this.set(address, ram);
        this.set(old, load(this.get(address)));
      },
      () => {
        this.#callSlow(this.frame.functions.readForWriteSlow, linear, bytes, place.tag);
        this.set(old, this.#scratchValue(bytes, type));
        this.set(address, this.i32(0)); // Or what the local held before is kept for it.
      },
    );
    const changed = this.let(change(this.get(old)));
    this.code.if(
      this.get(direct),
      () => this.#storeRam(this.get(address), place.offset, bytes, changed),
      () => this.#storeSlow(linear, bytes, changed, place.tag),
      true,
    );
    return this.get(old);
  }

  probeWrite(linear: Value, bytes: number): void {
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    if (this.frame.leavesOnMiss) {
      this.#leaveUnless(probe.hit);
      return;
    }
    this.code.if(
      this.isZero(probe.hit),
      () => this.#callSlow(this.frame.functions.readForWriteSlow, linear, bytes, probe.tag),
      undefined,
      false,
    );
  }

  protected segmentBase(): Value {
    return super.loadState64(segmentAt(segmentNumber(this.running.segment, this.frame.long)) + segmentField.base);
  }

  copyInPage(source: Value, target: Value, bytes: Value, down: Value): Value {
    return emitCopy(this, this.#probe(source, 1, 0), this.#probe(target, 1, tlb.writeOffset), bytes, down);
  }

  fillInPage(target: Value, bytes: Value, element: Value, elementBytes: number): Value {
    return emitFill(this, () => this.#probe(target, 1, tlb.writeOffset), bytes, element, elementBytes);
  }
}
