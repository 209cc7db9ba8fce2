/** The translator's registers and operands: both are known, and general registers live in WebAssembly locals. */
import type { CodeBuilder, Label } from '../../wasm/code-builder.ts';
import { i32Constant, i64Constant } from '../../wasm/expression.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { type Instruction, noRegister, ripBase } from '../decode/instruction.ts';
import type { Emitter } from '../emit/emitter.ts';
import type { Operand } from '../emit/form.ts';
import { type Access, Ops } from '../emit/ops.ts';
import { registerFields, segmentNumber } from '../interpret/assemble.ts';
import type { SharedFunctions } from '../interpret/shared-types.ts';
import { segmentIndex, state } from '../state/layout.ts';
import { KnownAddresses } from './known-addresses.ts';
import type { DefineFunction } from './rare-emitter.ts';

const generalRegisters = 16;

/** What a region's instructions share. */
export interface RegionFrame {
  /** 64-bit code; otherwise 32-bit code with flat segments. */
  readonly long: boolean;
  /** See `RegionRequest`. */
  readonly leavesOnMiss: boolean;
  readonly functions: SharedFunctions;
  /** Leads on to the code at `target`, wherever it is. */
  readonly leave: Label;
  /** Ends the region at the instruction that `site` describes. */
  readonly fault: Label;
  /** i64: where the guest goes on. */
  readonly target: Local;
  /** i32: the address of the site cache's entry for the jump there. */
  readonly from: Local;
  /** i32: see `faultSite`. */
  readonly site: Local;
  /** i32: instructions that may still run; state.budget while the region runs. */
  readonly budget: Local;
  /** The region's pages: distances, in pages, from the first entry's. */
  readonly pages: readonly { readonly distance: number; readonly ramOffset: number }[];
  /** i64: instruction pointer of byte 0 of the first entry's page. */
  readonly codeBase: Local;
  /** i32: state.tlbBase. */
  readonly tlbBase: Local;
  /** Continues at an offset: within the region if it can. */
  readonly branchTo: (offset: number) => void;
  /** The record that the region was entered by, for slow paths: i32. */
  readonly record: Local;
  readonly define: DefineFunction;
}

/**
 * Where an instruction leaves the region that cannot complete: number of its page, offset in it, instructions that were
 * paid for and did not run, and how the flags are known (`deferredKinds`, or `locally`: as the region's local says).
 */
export const faultSite = {
  pack: (site: { page: number; within: number; unspent: number; flags: number }): number =>
    (site.page << 27) | (site.within << 15) | (site.unspent << 6) | site.flags,
  locally: 63,
  page: (e: Emitter, site: Value): Value => e.shrU(site, 27),
  within: (e: Emitter, site: Value): Value => e.and(e.shrU(site, 15), 0xfff),
  unspent: (e: Emitter, site: Value): Value => e.and(e.shrU(site, 6), 511),
  flags: (e: Emitter, site: Value): Value => e.and(site, 63),
} as const;

/** Loads and stores of general registers and the flag words go to locals, which the region's ends load and store. */
export abstract class TranslatorRegisters extends Ops {
  protected readonly frame: RegionFrame;
  readonly #registers: (Local | undefined)[] = new Array(generalRegisters).fill(undefined);
  readonly #written = new Array<boolean>(generalRegisters).fill(false);
  /** The running instruction and its page offset. */
  protected running!: Instruction;
  protected runningAt = 0;
  #fields = { reg: 0, rm: 0, vvvv: 0 };
  readonly addresses: KnownAddresses;

  constructor(code: CodeBuilder, frame: RegionFrame) {
    super(code);
    this.frame = frame;
    this.addresses = new KnownAddresses(frame.long);
    this.addresses.note(frame.codeBase, { base: this.addresses.unknown(), distance: 0 });
  }

  override get flat(): boolean {
    return true;
  }

  operandIsFlat(): Value {
    return i32Constant(this.frame.long || this.running.segment < segmentIndex.fs ? 1 : 0);
  }

  override let(value: Value): Value {
    const bound = super.let(value);
    if (value.type === 'i64' || !this.frame.long) this.addresses.bind(bound, value);
    return bound;
  }

  /** From here on operands are those of `instruction` at `offset`. */
  protected setRunning(instruction: Instruction, offset: number): void {
    this.running = instruction;
    this.runningAt = offset;
    this.#fields = registerFields(instruction);
  }

  /** The local of a general register. */
  protected general(number: number): Local {
    let local = this.#registers[number];
    if (local === undefined) {
      local = this.code.pinnedLocal('i64');
      this.#registers[number] = local;
      this.addresses.nameRegister(local.index, number);
    }
    return local;
  }

  /** Loads what the region uses; for the prologue. */
  loadRegisters(): void {
    for (const [number, local] of this.#registers.entries()) {
      if (local !== undefined) this.set(local, super.loadState64(state.gpr + number * 8));
    }
  }

  /** Stores what the region wrote; for the epilogue. */
  storeRegisters(): void {
    for (const [number, local] of this.#registers.entries()) {
      if (local !== undefined && this.#written[number] === true)
        super.storeState64(state.gpr + number * 8, this.get(local));
    }
  }

  #generalNumber(address: number): number | undefined {
    const offset = address - state.gpr;
    return offset >= 0 && offset < generalRegisters * 8 ? offset >> 3 : undefined;
  }

  override loadRegister(address: Value, bits: number): Value {
    const at = Number(address.immediate);
    const number = this.#generalNumber(at);
    if (number === undefined) return super.loadRegister(address, bits);
    const whole = this.get(this.general(number));
    const value = bits === 64 ? whole : this.wrap(whole);
    if (bits >= 32) return value;
    const shifted = (at & 7) === 0 ? value : this.shrU(value, (at & 7) * 8);
    return this.and(shifted, (1 << bits) - 1);
  }

  override storeRegister(address: Value, bits: number, value: Value, general: boolean): void {
    const at = Number(address.immediate);
    const number = this.#generalNumber(at);
    if (number === undefined) {
      super.storeRegister(address, bits, value, general);
      return;
    }
    const local = this.general(number);
    this.#written[number] = true;
    const all = bits === 64 || (bits === 32 && !this.frame.long);
    this.addresses.written(number, all ? value : undefined);
    if (bits === 64) this.set(local, value);
    else if (bits === 32) this.set(local, this.extendU(value));
    else this.#merge(local, (at & 7) * 8, bits, value);
  }

  #merge(local: Local, shift: number, bits: number, value: Value): void {
    const mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
    const field = this.shl(this.extendU(this.and(value, (1 << bits) - 1)), shift);
    this.set(local, this.or(this.and(this.get(local), ~mask), field));
  }

  override loadState64(address: Value | number, offset = 0): Value {
    const number = typeof address === 'number' ? this.#generalNumber(address + offset) : undefined;
    if (number !== undefined) return this.get(this.general(number));
    if (address === state.codeBase) return this.get(this.frame.codeBase);
    return super.loadState64(address, offset);
  }

  override storeState64(address: number, value: Value): void {
    const number = this.#generalNumber(address);
    if (number === undefined) {
      super.storeState64(address, value);
      return;
    }
    const local = this.general(number);
    this.#written[number] = true;
    this.addresses.written(number, value);
    this.set(local, value);
  }

  /** state.codeBase as memory has it; for the prologue. */
  sharedCodeBase(): Value {
    return super.loadState64(state.codeBase);
  }

  override loadState32(address: Value | number, offset = 0): Value {
    const number = typeof address === 'number' ? this.#generalNumber(address + offset) : undefined;
    return number === undefined ? super.loadState32(address, offset) : this.wrap(this.get(this.general(number)));
  }

  // Operands

  protected registerAddress(operand: Operand): Value {
    if (operand.field === 'fixed') return i32Constant(operand.address as number);
    return i32Constant(this.#fields[operand.field as 'reg' | 'rm' | 'vvvv']);
  }

  immediate(operand: Operand, bits = operand.bits): Value {
    const value = operand.field === 'fixed' ? BigInt(operand.address as number) : this.running.immediate;
    return this.constantOf(bits, bits === 64 ? value : BigInt.asUintN(bits, value));
  }

  immediate2(): Value {
    return i32Constant(this.running.immediate2);
  }

  effectiveAddress(_operand: Operand, byteOffset = 0): Value {
    if (!this.frame.long && this.running.addressSize === 32) return this.#effectiveAddress32(byteOffset);
    const { base, index, scale, displacement, addressSize } = this.running;
    let offset = displacement + BigInt(byteOffset);
    let sum: Value | undefined;
    if (base === ripBase) {
      offset += BigInt(this.runningAt + this.running.length);
      sum = this.get(this.frame.codeBase);
    } else if (base !== noRegister) {
      sum = this.get(this.general(base));
    }
    if (index !== noRegister) {
      const scaled = this.shl(this.get(this.general(index)), scale);
      sum = sum === undefined ? scaled : this.add(sum, scaled);
    }
    const address = sum === undefined ? i64Constant(offset) : this.add(sum, offset);
    return this.zeroExtend(address, addressSize);
  }

  #effectiveAddress32(byteOffset: number): Value {
    const { base, index, scale, displacement } = this.running;
    const offset = Number(displacement) + byteOffset;
    let sum = base === noRegister ? undefined : this.wrap(this.get(this.general(base)));
    if (index !== noRegister) {
      const scaled = this.shl(this.wrap(this.get(this.general(index))), scale);
      sum = sum === undefined ? scaled : this.add(sum, scaled);
    }
    return sum === undefined ? i64Constant(offset >>> 0) : this.extendU(this.add(sum, offset));
  }

  basedOnStack(_operand: Operand): Value {
    return i32Constant(this.running.base === 4 ? 1 : 0);
  }

  linearOf(effective: Value, bytes: number, access: Access): Value {
    return this.linearIn(segmentNumber(this.running.segment, this.frame.long), effective, bytes, access);
  }
}
