/**
 * What addresses have in common: i64 values of a region as an unknown (a register as it was at some point, a sum of such)
 * and a distance from it. Two accesses with the same unknown lie a known distance apart.
 */
import { constant, control, convert, i32, i64 } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';

/** The value `base` + `distance`, modulo 2^64; in 32-bit code modulo 2^32, for of such an address nothing else counts. */
export interface Address {
  readonly base: number;
  readonly distance: number;
}

/** What is known of general registers; undefined: nothing, the next look at it makes an unknown of it. */
export type RegisterAddresses = (Address | undefined)[];

/** Distances beyond are not followed. */
const farthest = 2 ** 31;

export class KnownAddresses {
  /** By register. */
  #registers: RegisterAddresses = [];
  /** Registers by the locals that hold them. */
  readonly #registerOf = new Map<number, number>();
  readonly #bound = new WeakMap<Value, Address>();
  /** By index of a local. */
  readonly #fixed = new Map<number, Address>();
  readonly #composed = new Map<string, number>();
  readonly #atJoins = new Map<number, RegisterAddresses>();
  #nextBase = 1;
  readonly #long: boolean;
  /** Above 0 within parts of an instruction that may run once, never or often: nothing is known there. */
  conditional = 0;

  /** @param long of 64-bit code */
  constructor(long: boolean) {
    this.#long = long;
  }

  /** A value of which nothing else is known. */
  unknown(): number {
    return this.#nextBase++;
  }

  /** `local` (its index) holds a general register. */
  nameRegister(local: number, register: number): void {
    this.#registerOf.set(local, register);
  }

  /** `value` was evaluated, as `bound`. */
  bind(bound: Value, value: Value): void {
    const address = this.of(value);
    if (address !== undefined) this.#bound.set(bound, address);
  }

  /** `local` never changes. */
  note(local: Local, address: Address): void {
    this.#fixed.set(local.index, address);
  }

  /** `value` is `address`, which was composed. */
  name(value: Value, address: Address): void {
    this.#bound.set(value, address);
  }

  of(value: Value): Address | undefined {
    if (this.conditional > 0) return undefined;
    // In 64-bit code what has only 32 bits is no address.
    if (this.#long && value.type === 'i32') return undefined;
    const [first, second] = value.operands as [Value, Value];
    switch (value.opcode) {
      case control.localGet:
        return this.#ofLocal(value);
      case constant.i32:
      case constant.i64:
        return this.#shifted({ base: 0, distance: 0 }, this.#numberOf(value));
      case i32.add:
      case i64.add:
        return this.#sum(first, second);
      case i32.sub:
      case i64.sub:
        return this.#difference(first, this.#numberOf(second));
      case i32.shl:
      case i64.shl:
        return this.#scaled(first, this.#numberOf(second));
      case convert.wrap:
      case convert.i64ExtendI32U:
        return this.#long ? undefined : this.of(first);
      default:
        return this.#bound.get(value);
    }
  }

  #numberOf(value: Value | undefined): number | undefined {
    const known = value?.opcode === constant.i64 || value?.opcode === constant.i32;
    if (!known || value.immediate === undefined) return undefined;
    const number = this.#long ? Number(value.immediate) : Number(BigInt.asIntN(32, BigInt(value.immediate)));
    return Math.abs(number) < farthest ? number : undefined;
  }

  #difference(from: Value, by: number | undefined): Address | undefined {
    return this.#shifted(this.of(from), by === undefined ? undefined : -by);
  }

  #ofLocal(value: Value): Address | undefined {
    const bound = this.#bound.get(value);
    if (bound !== undefined) return bound;
    const register = this.#registerOf.get(value.immediate as number);
    if (register === undefined) return this.#fixed.get(value.immediate as number);
    this.#registers[register] ??= { base: this.unknown(), distance: 0 };
    return this.#registers[register];
  }

  #shifted(address: Address | undefined, by: number | undefined): Address | undefined {
    if (address === undefined || by === undefined) return undefined;
    const distance = address.distance + by;
    return Math.abs(distance) < farthest ? { base: address.base, distance } : undefined;
  }

  #sum(a: Value, b: Value): Address | undefined {
    const by = this.#numberOf(b);
    if (by !== undefined) return this.#shifted(this.of(a), by);
    const [first, second] = [this.of(a), this.of(b)];
    if (first === undefined || second === undefined) return undefined;
    return this.composed(`${first.base}+${second.base}`, first.distance + second.distance);
  }

  #scaled(value: Value, by: number | undefined): Address | undefined {
    const address = this.of(value);
    if (address === undefined || by === undefined) return undefined;
    return this.composed(`${address.base}<<${by}`, address.distance * 2 ** by);
  }

  /** The unknown of that name, `distance` on. */
  composed(name: string, distance: number): Address | undefined {
    if (Math.abs(distance) >= farthest) return undefined;
    let base = this.#composed.get(name);
    if (base === undefined) {
      base = this.unknown();
      this.#composed.set(name, base);
    }
    return { base, distance };
  }

  /** What `register` is, once `value` is in it; call it before the register changes. Undefined: a value that is not looked at. */
  written(register: number, value: Value | undefined): void {
    this.#registers[register] = value === undefined ? undefined : this.of(value);
  }

  /** Nothing is known of registers any more. */
  forget(): void {
    this.#registers = [];
  }

  get registers(): RegisterAddresses {
    return this.#registers.slice();
  }

  set registers(registers: RegisterAddresses) {
    this.#registers = registers.slice();
  }

  /** A way to `node`, where several meet, ends here. */
  arrive(node: number): void {
    const before = this.#atJoins.get(node);
    if (before === undefined) {
      this.#atJoins.set(node, this.registers);
      return;
    }
    for (const [register, address] of before.entries()) {
      const other = this.#registers[register];
      if (address?.base !== other?.base || address?.distance !== other?.distance) before[register] = undefined;
    }
  }

  /** At `node`, where all forward ways to it have arrived. */
  join(node: number): void {
    this.#registers = this.#atJoins.get(node) ?? [];
  }
}
