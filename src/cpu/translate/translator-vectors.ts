/** The translator's xmm registers: WebAssembly locals for the length of a region, as general registers are. */
import { loadFrom, simd } from '../../wasm/expression.ts';
import { load, store, v128 } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { floatLimit, type LaneShape } from '../emit/float-emitter.ts';
import type { Operand } from '../emit/form.ts';
import { state } from '../state/layout.ts';
import {
  fact,
  factsTouching,
  factsWithin,
  type Known,
  nothingKnown,
  tameLanes,
  vectorRegisters,
} from './known-facts.ts';
import { TranslatorRegisters } from './translator-registers.ts';

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

export abstract class TranslatorVectors extends TranslatorRegisters {
  readonly #vectors: (Local | undefined)[] = new Array(vectorRegisters).fill(undefined);
  readonly #written = new Array<boolean>(vectorRegisters).fill(false);
  /** Locals of lowest lanes, by register. */
  readonly #doubles: (Local | undefined)[] = [];
  readonly #singles: (Local | undefined)[] = [];
  #limit: Local | undefined;
  /** Constants in locals, by their bytes. */
  readonly #constants = new Map<string, { local: Local; value: Value }>();
  /** At this point of the code. */
  known: Known = nothingKnown;
  /** No SSE instruction can raise #UD or #NM from here on: an earlier one would have. Nothing in a region changes that. */
  sseChecked = false;

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
    for (const { local, value } of this.#constants.values()) this.set(local, value);
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
    this.#forget(number, factsTouching(bits));
    if (value.type === 'v128') {
      this.set(local, value);
      return;
    }
    const isFloat = value.type === 'f64' || value.type === 'f32';
    const low = isFloat ? this.let(value) : value;
    if (isFloat) this.#setOwn(number, low);
    this.set(local, simd(lowLane[value.type][1], [this.get(local), low], 0));
  }

  override readLow(operand: Operand): Value {
    return this.let(this.get(this.#vector(this.#numberOf(operand) as number)));
  }

  override readNumber(operand: Operand): Value {
    const number = this.#numberOf(operand) as number;
    const [own, locals] = operand.bits === 64 ? [fact.ownDouble, this.#doubles] : [fact.ownSingle, this.#singles];
    if (this.#knows(number, own)) return this.let(this.get(locals[number] as Local));
    return this.let(simd(lowLane[operand.bits === 64 ? 'f64' : 'f32'][0], [this.get(this.#vector(number))], 0));
  }

  /** Keeps the lowest lane beside the vector, where V8 would put it in and take it out again. */
  #setOwn(number: number, value: Value): void {
    const locals = value.type === 'f64' ? this.#doubles : this.#singles;
    locals[number] ??= this.code.pinnedLocal(value.type);
    this.set(locals[number], value);
    this.#learn(number, value.type === 'f64' ? fact.ownDouble : fact.ownSingle);
  }

  #numberOf(operand: Operand): number | undefined {
    return operand.kind === 'xmm' ? vectorNumber(Number(this.registerAddress(operand).immediate)) : undefined;
  }

  #knows(number: number, facts: number): boolean {
    return ((this.known[number] as number) & facts) === facts;
  }

  #learn(number: number, facts: number): void {
    this.known = this.known.with(number, (this.known[number] as number) | facts);
  }

  #forget(number: number, facts: number): void {
    this.known = this.known.with(number, (this.known[number] as number) & ~facts);
  }

  /** V8 makes vectors anew wherever they stand as constants. */
  override shared(value: Value): Value {
    const key = String(value.bytes);
    let constant = this.#constants.get(key);
    if (constant === undefined) {
      constant = { local: this.code.pinnedLocal('v128'), value };
      this.#constants.set(key, constant);
    }
    return this.get(constant.local);
  }

  // Floating point

  override isTame(operand: Operand, shape: LaneShape): boolean {
    const number = this.#numberOf(operand);
    return number !== undefined && this.#knows(number, tameLanes(shape));
  }

  override noteTame(operand: Operand, shape: LaneShape): void {
    const number = this.#numberOf(operand);
    if (number !== undefined) this.#learn(number, tameLanes(shape));
  }

  override noteCopy(destination: Operand, source: Operand): void {
    const [to, from] = [this.#numberOf(destination), this.#numberOf(source)];
    if (to === undefined || from === undefined) return;
    const facts = (this.known[from] as number) & factsWithin(destination.bits);
    this.#learn(to, facts & ~(fact.ownDouble | fact.ownSingle));
    if ((facts & fact.ownDouble) !== 0) this.#setOwn(to, this.get(this.#doubles[from] as Local));
    if ((facts & fact.ownSingle) !== 0) this.#setOwn(to, this.get(this.#singles[from] as Local));
  }

  override isSameRegister(a: Operand, b: Operand): boolean {
    const number = this.#numberOf(a);
    return number !== undefined && number === this.#numberOf(b);
  }

  /**
   * As MXCSR was when the region was entered. Within, only LDMXCSR and slow paths change it; the latter set flags, which is
   * noticed when the region is entered next.
   */
  override floatLimit(): Value {
    this.#limit ??= this.code.pinnedLocal('i32');
    return this.get(this.#limit);
  }

  protected setFloatLimit(limit: Value): void {
    this.set(this.#limit as Local, limit);
  }

  override mxcsrChanged(): void {
    const before = this.floatLimit();
    this.setFloatLimit(this.select(before, super.floatLimit(), this.i32(floatLimit.untame)));
  }

  override requireUnit(faultWord: number): void {
    if (faultWord === state.sseFault) {
      if (this.sseChecked) return;
      this.sseChecked = true;
    }
    super.requireUnit(faultWord);
  }
}
