/** One x87 instruction under way: its operands, its view of the stack, what it reports. SDM Vol. 1 chapter 8. */
import { floatException, precisionControl, x87Condition } from '../../../spec/x86/floating-point.ts';
import { x87Control, x87Status } from '../../../spec/x86/x87.ts';
import { x87Code } from '../../emit/x87-operations.ts';
import type { Processor } from '../../processor.ts';
import { createContext, type FloatContext, type Precision, type Rounding } from '../../softfloat/context.ts';
import { extended, type F80, packIndefinite } from '../../softfloat/format.ts';
import { FpuRegisters, summarized } from '../../state/fpu-registers.ts';
import { lastOpcode } from './last-opcode.ts';

export const indefinite: F80 = packIndefinite(extended);

const { c1 } = x87Condition;

function precisionOf(fcw: number): Precision {
  switch ((fcw >> x87Control.pcShift) & 3) {
    case precisionControl.single:
      return 24;
    case precisionControl.double:
      return 53;
    default:
      return 64;
  }
}

export class X87Unit {
  readonly cpu: Processor;
  readonly registers: FpuRegisters;
  readonly context: FloatContext;
  /** A value of `x87Source`. */
  readonly source: number;
  /** The result goes to ST(i), not ST(0). */
  readonly toRegister: boolean;
  /** How often the instruction pops. */
  readonly pops: number;
  /** FSW, tags as they will be. Flags of `context` come in by `commit`. */
  fsw: number;
  valid: number;
  readonly fcw: number;
  /** Emitted code stores first and then makes FSW, tags and pointers visible itself. */
  isDeferred = false;
  /** C1 as the instruction finds it; all but a few clear it. */
  readonly #oldC1: number;

  constructor(cpu: Processor, code: number) {
    this.cpu = cpu;
    this.registers = new FpuRegisters(cpu.state.view);
    this.source = (code >> x87Code.sourceShift) & x87Code.sourceMask;
    this.toRegister = (code & x87Code.toRegister) !== 0;
    this.pops = code >> x87Code.popShift;
    this.fcw = this.registers.fcw;
    this.#oldC1 = this.registers.fsw & c1;
    this.fsw = this.registers.fsw & ~c1;
    this.valid = this.registers.valid;
    this.context = createContext();
    this.context.rounding = ((this.fcw >> x87Control.rcShift) & 3) as Rounding;
    this.context.precision = precisionOf(this.fcw);
    this.context.masks = this.fcw & floatException.all;
  }

  // Operands

  /** i of ST(i). */
  get number(): number {
    return this.cpu.state.scratch32(1) & 7;
  }

  /** The memory operand's bits (of m80 the significand), zero-extended. */
  get bits(): bigint {
    return this.cpu.state.scratch(1);
  }

  get effectiveAddress(): bigint {
    return this.cpu.state.scratch(2);
  }

  // Stack

  get top(): number {
    return (this.fsw & x87Status.topMask) >> x87Status.topShift;
  }

  set top(value: number) {
    this.fsw = (this.fsw & ~x87Status.topMask) | ((value & 7) << x87Status.topShift);
  }

  /** Physical register of ST(i). */
  physical(i: number): number {
    return (this.top + i) & 7;
  }

  isEmpty(i: number): boolean {
    return ((this.valid >> this.physical(i)) & 1) === 0;
  }

  get(i: number): F80 {
    return this.registers.read(this.physical(i));
  }

  /** Writes ST(i), at once: nothing may fault afterwards. */
  set(i: number, value: F80): void {
    this.registers.write(this.physical(i), value);
    this.valid |= 1 << this.physical(i);
  }

  free(i: number): void {
    this.valid &= ~(1 << this.physical(i));
  }

  push(value: F80): void {
    this.top = this.top - 1;
    this.set(0, value);
  }

  pop(count = this.pops): void {
    for (let n = 0; n < count; n++) {
      this.free(0);
      this.top = this.top + 1;
    }
  }

  // Exceptions

  /** Exceptions that the instruction raised and that will be delivered. */
  get unmasked(): number {
    return this.context.flags & ~this.context.masks;
  }

  setConditions(mask: number, values: number): void {
    this.fsw = (this.fsw & ~mask) | (values & mask);
  }

  /** The instruction leaves C1 alone, unless there is a stack fault. */
  keepC1(): void {
    this.fsw |= this.#oldC1;
  }

  #stackFault(): boolean {
    this.fsw = (this.fsw & ~c1) | x87Status.sf;
    this.context.flags |= floatException.invalid;
    return (this.context.masks & floatException.invalid) !== 0;
  }

  /** An operand is empty. @returns whether the masked response is wanted; otherwise nothing else may change. */
  underflow(): boolean {
    this.context.roundedUp = false;
    return this.#stackFault();
  }

  /** A push finds its register in use: the same, with C1 set. */
  overflow(): boolean {
    this.context.roundedUp = true;
    return this.#stackFault();
  }

  // Completion

  /** FSW with the flags of `context` and C1. */
  finalStatus(): number {
    const rounded = this.context.roundedUp ? c1 : 0;
    return summarized(this.fsw | this.context.flags | rounded, this.fcw);
  }

  /**
   * Makes FSW, tags and pointers visible. FDP and FOP are written by unmasked exceptions alone, as CPUID.7.0:EBX[6]
   * reports of FDP.
   */
  commit(): void {
    const { registers } = this;
    registers.fsw = this.finalStatus();
    registers.valid = this.valid;
    registers.fip = this.cpu.currentRip();
    if (this.unmasked !== 0) this.reportPointers();
  }

  reportPointers(): void {
    this.registers.fop = lastOpcode(this.cpu);
    if (this.source !== 0) this.registers.fdp = this.effectiveAddress;
  }
}
