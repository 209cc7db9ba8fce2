/**
 * What addresses have in common: i64 values of a region as an unknown (a register as it was at some point, a sum of such)
 * and a distance from it. Two accesses with the same unknown lie a known distance apart.
 */
import { constant, control, i64 } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';

/** The value `base` + `distance`, modulo 2^64. */
export interface Address {
  readonly base: number;
  readonly distance: number;
}

/** What is known of general registers; undefined: nothing, the next look at it makes an unknown of it. */
export type RegisterAddresses = (Address | undefined)[];

/** Distances beyond are not followed. */
const farthest = 2 ** 31;

const numberOf = (value: Value | undefined): number | undefined => {
  if (value?.opcode !== constant.i64 || value.immediate === undefined) return undefined;
  const number = Number(value.immediate);
  return Math.abs(number) < farthest ? number : undefined;
};

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
  /** Above 0 within parts of an instruction that may run once, never or often: nothing is known there. */
  conditional = 0;

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
    switch (value.opcode) {
      case control.localGet:
        return this.#ofLocal(value);
      case constant.i64:
        return this.#shifted({ base: 0, distance: 0 }, numberOf(value));
      case i64.add:
        return this.#sum(value.operands[0] as Value, value.operands[1] as Value);
      case i64.sub: {
        const subtrahend = numberOf(value.operands[1]);
        return this.#shifted(this.of(value.operands[0] as Value), subtrahend === undefined ? undefined : -subtrahend);
      }
      case i64.shl:
        return this.#scaled(value.operands[0] as Value, numberOf(value.operands[1]));
      default:
        return this.#bound.get(value);
    }
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
    const by = numberOf(b);
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
