/** The translator's xmm registers: WebAssembly locals for the length of a region, as general registers are. */
import { loadFrom, simd } from '../../wasm/expression.ts';
import { load, store, v128 } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { floatLimit, type LaneShape } from '../emit/float-emitter.ts';
import type { Operand } from '../emit/form.ts';
import { state } from '../state/layout.ts';
import { TranslatorRegisters } from './translator-registers.ts';

const vectorRegisters = 16;
const registerBytes = 16;

/** By type of the low lanes that an operand travels as: how they come out of a vector, and how they get into one. */
const lowLane = {
  i32: [v128.i32x4ExtractLane, v128.i32x4ReplaceLane],
  i64: [v128.i64x2ExtractLane, v128.i64x2ReplaceLane],
  f32: [v128.f32x4ExtractLane, v128.f32x4ReplaceLane],
  f64: [v128.f64x2ExtractLane, v128.f64x2ReplaceLane],
} as const;

/** The number of an xmm register by its state address, if it is one's. */
function vectorNumber(address: number): number | undefined {
  const offset = address - state.xmm;
  return offset >= 0 && offset < vectorRegisters * registerBytes ? offset / registerBytes : undefined;
}

/** By xmm register: `tameLanes`. */
export type Tame = readonly number[];

/** Bits of `Tame`: a lane of 64 bits taken as binary64, then those of 32 bits taken as binary32. */
const tameLanes = {
  doubles: 0b11,
  lowDouble: 0b01,
  firstSingle: 2,
  singles: 0b1111_00,
  lowSingles: 0b0011_00,
} as const;

export const nothingTame: Tame = new Array<number>(vectorRegisters).fill(0);

const lanesOf = ({ double, count }: LaneShape): number =>
  double ? (1 << count) - 1 : ((1 << count) - 1) << tameLanes.firstSingle;

/** Lanes that a write of the low `bits` leaves alone. */
function lanesAbove(bits: number): number {
  if (bits === 128) return 0;
  const all = tameLanes.doubles | tameLanes.singles;
  return all & ~(tameLanes.lowDouble | (bits === 64 ? tameLanes.lowSingles : lanesOf({ double: false, count: 1 })));
}

/** What holds on both of two ways. */
export const tameOnBoth = (a: Tame, b: Tame): Tame => a.map((lanes, n) => lanes & (b[n] as number));

export abstract class TranslatorVectors extends TranslatorRegisters {
  readonly #vectors: (Local | undefined)[] = new Array(vectorRegisters).fill(undefined);
  readonly #written = new Array<boolean>(vectorRegisters).fill(false);
  /** No SSE instruction can raise #UD or #NM from here on: an earlier one would have. Nothing in a region changes that. */
  sseChecked = false;
  /** What is known of registers at this point; see `isTame`. */
  tame: Tame = nothingTame;
  #limit: Local | undefined;

  #vector(number: number): Local {
    let local = this.#vectors[number];
    if (local === undefined) {
      local = this.code.pinnedLocal('v128');
      this.#vectors[number] = local;
    }
    return local;
  }

  override loadRegisters(): void {
    super.loadRegisters();
    if (this.#limit !== undefined) this.set(this.#limit, super.floatLimit());
    for (const [number, local] of this.#vectors.entries()) {
      const address = state.xmm + number * registerBytes;
      if (local !== undefined) this.set(local, loadFrom(load.v128, 'v128', this.i32(0), address, 0));
    }
  }

  override storeRegisters(): void {
    super.storeRegisters();
    for (const [number, local] of this.#vectors.entries()) {
      if (local === undefined || this.#written[number] !== true) continue;
      this.storeState(store.v128, this.i32(0), state.xmm + number * registerBytes, this.get(local));
    }
  }

  override loadRegister(address: Value, bits: number): Value {
    const number = vectorNumber(Number(address.immediate));
    if (number === undefined) return super.loadRegister(address, bits);
    const whole = this.get(this.#vector(number));
    return bits === 128 ? whole : simd(lowLane[bits === 64 ? 'i64' : 'i32'][0], [whole], 0);
  }

  override storeRegister(address: Value, bits: number, value: Value, general: boolean): void {
    const number = vectorNumber(Number(address.immediate));
    if (number === undefined) {
      super.storeRegister(address, bits, value, general);
      return;
    }
    const local = this.#vector(number);
    this.#written[number] = true;
    this.#setTame(number, (this.tame[number] as number) & lanesAbove(bits));
    const whole = value.type === 'v128' ? value : simd(lowLane[value.type][1], [this.get(local), value], 0);
    this.set(local, whole);
  }

  override readLow(operand: Operand): Value {
    const number = vectorNumber(Number(this.registerAddress(operand).immediate));
    return number === undefined ? super.readLow(operand) : this.let(this.get(this.#vector(number)));
  }

  // Floating point

  #numberOf(operand: Operand): number | undefined {
    return operand.kind === 'xmm' ? vectorNumber(Number(this.registerAddress(operand).immediate)) : undefined;
  }

  #setTame(number: number, lanes: number): void {
    this.tame = this.tame.with(number, lanes);
  }

  override isTame(operand: Operand, shape: LaneShape): boolean {
    const number = this.#numberOf(operand);
    const wanted = lanesOf(shape);
    return number !== undefined && ((this.tame[number] as number) & wanted) === wanted;
  }

  override noteTame(operand: Operand, shape: LaneShape): void {
    const number = this.#numberOf(operand);
    if (number !== undefined) this.#setTame(number, (this.tame[number] as number) | lanesOf(shape));
  }

  override isSameRegister(a: Operand, b: Operand): boolean {
    const number = this.#numberOf(a);
    return number !== undefined && number === this.#numberOf(b);
  }

  /** Nothing but LDMXCSR and slow paths change MXCSR within a region. The latter set flags, which raises the limit too late. */
  override floatLimit(): Value {
    this.#limit ??= this.code.pinnedLocal('i32');
    return this.get(this.#limit);
  }

  override lowerFloatLimit(condition: () => Value): void {
    const limit = this.floatLimit();
    this.set(this.#limit as Local, this.select(condition(), this.i32(floatLimit.untame), limit));
  }

  override requireUnit(faultWord: number): void {
    if (faultWord === state.sseFault) {
      if (this.sseChecked) return;
      this.sseChecked = true;
    }
    super.requireUnit(faultWord);
  }
}
