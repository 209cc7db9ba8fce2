/** Runs instructions of the table, emitted over `TestOps`, under the host's WebAssembly. */
import { CodeBuilder } from '../../../wasm/code-builder.ts';
import { ModuleBuilder } from '../../../wasm/module-builder.ts';
import { webAssembly } from '../../../wasm/webassembly.ts';
import { formOf } from '../../emit/forms.ts';
import { emitHandler } from '../../interpret/emit-handler.ts';
import { instructionTable } from '../../isa/table.ts';
import { readStatusFlags, writeStatusFlags } from '../../state/flags.ts';
import { segmentAt, segmentField, segmentIndex, state } from '../../state/layout.ts';
import { semantics } from '../index.ts';
import { outcome, TestOps, testState } from './test-ops.ts';

export const registerNames = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;
export type RegisterName = (typeof registerNames)[number];
export type Registers = Record<RegisterName, bigint>;

export interface Variant {
  readonly operandSize?: 16 | 32 | 64;
  readonly addressSize?: 16 | 32 | 64;
  readonly long?: boolean;
  readonly registerForm?: boolean;
  readonly repeat?: 0 | 0xf2 | 0xf3;
}

export interface Start extends Partial<Registers> {
  /** The six status flags. */
  readonly flags?: number;
  readonly direction?: boolean;
  readonly immediate?: bigint;
  readonly immediate2?: number;
  readonly rip?: bigint;
  /** Outside 64-bit code. */
  readonly stackMask?: bigint;
  readonly codeLimit?: number;
  /** Rounds of a REP before it restarts; default: as good as never. */
  readonly repeatLimit?: number;
  readonly basedOnStack?: boolean;
}

export interface End extends Registers {
  /** 'next', 'jump', 'restart', or the vector of a fault. */
  readonly outcome: 'next' | 'jump' | 'restart' | number;
  readonly flags: number;
  readonly rip: bigint;
  readonly hostCalls: number;
}

const stateMemory = new webAssembly.Memory({ initial: 1, maximum: 1, shared: true });
const guestMemory = new webAssembly.Memory({ initial: 1, maximum: 1, shared: true });
export const stateView = new DataView(stateMemory.buffer);
export const guestView = new DataView(guestMemory.buffer);

export type Program = (start: Start) => End;

/** The table row with this mnemonic and operands column, in the given form, as something that runs. */
export function program(mnemonic: string, operands: string, variant: Variant = {}): Program {
  const row = instructionTable.find((candidate) => candidate.mnemonic === mnemonic && candidate.operands === operands);
  if (row === undefined) throw new Error(`no row ${mnemonic} ${operands}`);
  const long = variant.long ?? true;
  const form = formOf(row, {
    operandSize: variant.operandSize ?? 32,
    addressSize: variant.addressSize ?? (long ? 64 : 32),
    registerForm: variant.registerForm ?? true,
    repeat: variant.repeat ?? 0,
    locked: false,
    long,
  });
  const code = new CodeBuilder([]);
  const ops = new TestOps(code);
  emitHandler(ops, form, semantics);
  code.return(ops.i32(outcome.next));
  const builder = new ModuleBuilder();
  builder.importMemory('state', { initial: 1, maximum: 1 });
  builder.importMemory('guest', { initial: 1, maximum: 1 });
  const index = builder.declare({ parameters: [], results: ['i32'] });
  builder.define(index, code);
  builder.export('run', index);
  const instance = new webAssembly.Instance(new webAssembly.Module(builder.finish()), {
    env: { state: stateMemory, guest: guestMemory },
  });
  const run = instance.exports.run as () => number;
  return (start) => {
    load(start);
    return result(run());
  };
}

function load(start: Start): void {
  registerNames.forEach((name, number) => {
    stateView.setBigUint64(state.gpr + number * 8, BigInt.asUintN(64, start[name] ?? 0n), true);
  });
  writeStatusFlags(stateView, start.flags ?? 0);
  stateView.setUint32(state.eflags, start.direction === true ? 0x402 : 2, true);
  stateView.setUint32(state.fault, 0, true);
  stateView.setInt32(state.repeatLimit, start.repeatLimit ?? 0x7fff_ffff, true);
  stateView.setUint32(testState.hostCalls, 0, true);
  stateView.setBigInt64(testState.immediate, start.immediate ?? 0n, true);
  stateView.setInt32(testState.immediate2, start.immediate2 ?? 0, true);
  stateView.setInt32(testState.basedOnStack, start.basedOnStack === true ? 1 : 0, true);
  stateView.setBigUint64(state.rip, start.rip ?? 0n, true);
  stateView.setBigUint64(state.stackMask, start.stackMask ?? 0xffff_ffffn, true);
  stateView.setUint32(segmentAt(segmentIndex.cs) + segmentField.limit, start.codeLimit ?? 0xffff_ffff, true);
}

const names = new Map<number, 'next' | 'jump' | 'restart'>([
  [outcome.next, 'next'],
  [outcome.jump, 'jump'],
  [outcome.restart, 'restart'],
]);

function result(code: number): End {
  const registers = Object.fromEntries(
    registerNames.map((name, number) => [name, stateView.getBigUint64(state.gpr + number * 8, true)]),
  ) as Registers;
  return {
    ...registers,
    outcome: code === outcome.fault ? stateView.getUint32(state.fault, true) - 1 : (names.get(code) ?? 'next'),
    flags: readStatusFlags(stateView),
    rip: stateView.getBigUint64(state.rip, true),
    hostCalls: stateView.getUint32(testState.hostCalls, true),
  };
}
