/** Debug registers: instruction, data and I/O breakpoints, general detect. SDM Vol. 3B chapter 17. */
import { cr4, dr6, dr7, eflags } from '../../spec/x86/registers.ts';
import { GuestFault, generalProtection, undefinedOpcode } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';

const debugException = 1;

const breakpointType = { execute: 0, write: 1, io: 2, readWrite: 3 } as const;

interface Breakpoint {
  readonly number: number;
  readonly address: bigint;
  readonly type: number;
  readonly length: number;
}

const lengths = [1, 2, 8, 4] as const;

export class DebugUnit {
  /** DR6 bits that the running instruction has earned: delivered as a trap when it is done. */
  pending = 0;
  /** The running instruction entered a handler (INT n, SYSCALL …): its own single-step trap does not happen. */
  handlerEntered = false;
  #instruction: readonly Breakpoint[] = [];
  #data: readonly Breakpoint[] = [];
  #io: readonly Breakpoint[] = [];

  get watchesInstructions(): boolean {
    return this.#instruction.length > 0;
  }

  /** Breakpoints are armed: run one instruction at a time, so that what it hits is delivered right after it. */
  get watches(): boolean {
    return this.#instruction.length + this.#data.length + this.#io.length > 0;
  }

  /** Recomputes what is armed, after DR0–DR3, DR7 or CR4.DE changed. */
  refresh(cpu: Processor): void {
    const control = Number(cpu.state.dr(7) & 0xffff_ffffn);
    const io = (cpu.state.low('cr4') & cr4.de) !== 0;
    const armed: Breakpoint[] = [];
    for (let number = 0; number < 4; number++) {
      if (((control >> (number * 2)) & 3) === 0) continue;
      const fields = (control >>> (16 + number * 4)) & 0xf;
      armed.push({ number, address: cpu.state.dr(number), type: fields & 3, length: lengths[fields >> 2] as number });
    }
    this.#instruction = armed.filter(({ type }) => type === breakpointType.execute);
    this.#data = armed.filter(({ type }) => type === breakpointType.write || type === breakpointType.readWrite);
    this.#io = io ? armed.filter(({ type }) => type === breakpointType.io) : [];
    cpu.mmu.onWatch =
      this.#data.length === 0
        ? undefined
        : (linear, bytes, write) => this.#access(BigInt.asUintN(64, BigInt(linear)), bytes, write);
  }

  #hits(breakpoint: Breakpoint, address: bigint, bytes: number): boolean {
    const start = breakpoint.address & ~BigInt(breakpoint.length - 1);
    return address < start + BigInt(breakpoint.length) && start < address + BigInt(bytes);
  }

  #access(address: bigint, bytes: number, write: boolean): void {
    for (const breakpoint of this.#data) {
      const wanted = write || breakpoint.type === breakpointType.readWrite;
      if (wanted && this.#hits(breakpoint, address, bytes)) this.pending |= dr6.b0 << breakpoint.number;
    }
  }

  /** IN and OUT. */
  portAccess(port: number, bytes: number): void {
    for (const breakpoint of this.#io) {
      if (this.#hits(breakpoint, BigInt(port), bytes)) this.pending |= dr6.b0 << breakpoint.number;
    }
  }

  /** Before an instruction at `linear`, unless RF is set. @throws GuestFault #DB, the one fault that saves RF clear. */
  checkInstruction(cpu: Processor, linear: bigint): void {
    let bits = 0;
    for (const breakpoint of this.#instruction) {
      if (this.#hits(breakpoint, linear, 1)) bits |= dr6.b0 << breakpoint.number;
    }
    if (bits !== 0 && !cpu.state.flag(eflags.rf)) {
      setDr6(cpu, bits);
      const fault = new GuestFault(debugException);
      fault.trap = true;
      throw fault;
    }
  }
}

/** Adds cause bits to DR6 (B0–B3 are replaced). */
export function setDr6(cpu: Processor, bits: number): void {
  const old = Number(cpu.state.dr(6) & 0xffff_ffffn);
  cpu.state.setDr(6, BigInt(((old & ~0xf) | bits | dr6.fixedOnes) >>> 0));
}

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE makes them #UD. */
function register(cpu: Processor, number: number): number {
  if (number !== 4 && number !== 5) {
    if (number > 7) throw undefinedOpcode();
    return number;
  }
  if ((cpu.state.low('cr4') & cr4.de) !== 0) throw undefinedOpcode();
  return number + 2;
}

/** DR7.GD: any access to a debug register is a #DB fault, and clears GD. */
function checkGeneralDetect(cpu: Processor): void {
  if ((cpu.state.dr(7) & BigInt(dr7.gd)) === 0n) return;
  setDr6(cpu, dr6.bd);
  throw new GuestFault(debugException);
}

export function movToDr(cpu: Processor): number {
  const { state } = cpu;
  const value = state.scratch(1);
  const number = register(cpu, state.scratch32(0));
  checkGeneralDetect(cpu);
  if (number >= 6 && value >> 32n !== 0n) throw generalProtection();
  if (number === 6) state.setDr(6, BigInt(((Number(value) & 0xe00f) | dr6.fixedOnes) >>> 0));
  else if (number === 7) state.setDr(7, BigInt(((Number(value) & 0xffff_23ff) | dr7.fixedOnes) >>> 0));
  else state.setDr(number, value);
  cpu.debug.refresh(cpu);
  cpu.modeChanged();
  return cpu.leave();
}

export function movFromDr(cpu: Processor): number {
  const number = register(cpu, cpu.state.scratch32(0));
  checkGeneralDetect(cpu);
  cpu.state.setScratch(0, cpu.state.dr(number));
  return status.next;
}
