/**
 * The bus lock without TypeScript: how a processor stops the others for a moment, and how they step aside amid a slice.
 * Kernels lock the bus a hundred thousand times a second (LOCK CMPXCHG16B), and by way of TypeScript either side takes
 * microseconds. A module of its own, for it sees the memories of all vCPUs; what takes longer is left to `Siblings`.
 */
import { CodeBuilder, type Label } from '../../wasm/code-builder.ts';
import { callFor, compareExchange, i32Constant, loadFrom, notify } from '../../wasm/expression.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { atomic, load } from '../../wasm/opcodes.ts';
import type { FunctionType, Local, Value } from '../../wasm/types.ts';
import { type WasmMemory, webAssembly } from '../../wasm/webassembly.ts';
import { Emitter } from '../emit/emitter.ts';
import { state, vcpuMemoryPages } from '../state/layout.ts';
import { boardPages, boardWord } from './processor-board.ts';

/** What emitted code calls. */
export interface Bus {
  /** @returns 0 when no other processor runs guest code; they stay so until `unlockBus`. Else `Siblings.stopOthers` is to. */
  lockBus(): number;
  unlockBus(): void;
  /**
   * The slice was asked to end, but has budget left; no region is running. Lets another processor have the bus for itself.
   * @returns not 0 if nobody wanted anything else
   */
  stepAside(): number;
  /**
   * LOCK CMPXCHG16B as the host does it, on RAM at `ramOffset` (a multiple of 16): the values lie where
   * `wideOperands` says. @returns 1 if they were exchanged; 0 if not, with what was there in place of what was expected; -1 if the
   * host cannot, or had better not, and nothing was done
   */
  exchangeWide(ramOffset: number): number;
}

export const busTypes = {
  lockBus: { parameters: [], results: ['i32'] },
  unlockBus: { parameters: [], results: [] },
  stepAside: { parameters: [], results: ['i32'] },
  exchangeWide: { parameters: ['i32'], results: ['i32'] },
} as const satisfies Record<keyof Bus, FunctionType>;

/** For hosts that cannot exchange 16 bytes in one step. */
const noWideExchange: Bus['exchangeWide'] = () => -1;

/** Without other processors nobody is to be stopped, and nobody stops this one. */
export const soloBus: Bus = {
  lockBus: () => 0,
  unlockBus: () => {},
  stepAside: () => 0,
  exchangeWide: noWideExchange,
};

/** state.request of a processor that somebody wants to stop, and nothing more. */
export const stopRequest = -0x8000_0000;
/** A kick of any other kind. */
const kickRequest = -1;

/** Looks at a word before TypeScript goes on looking: some microseconds. */
const looks = 2000;

/** Numbers of the memories: the own vCPU's, the board, the others' vCPUs. */
const [own, board, firstOther] = [0, 1, 2];

class BusEmitter extends Emitter {
  read(byteAddress: number): Value {
    return loadFrom(load.i32atomic, 'i32', this.i32(byteAddress), 0, board);
  }

  write(byteAddress: number, value: Value, memory = board): void {
    this.code.store(atomic.i32Store, this.i32(byteAddress), value, 0, memory);
  }

  exchange(byteAddress: number, expected: Value, replacement: Value, memory = board): Value {
    return this.let(compareExchange(atomic.i32CompareExchange, this.i32(byteAddress), expected, replacement, memory));
  }

  /** Wakes who sleeps until a word changes, if there is anybody. */
  wake(byteAddress: number, sleepers: number): void {
    this.ifUnlikely(this.read(sleepers), () => this.code.drop(notify(this.i32(byteAddress), board)));
  }

  /** Goes on when `seen` is not 0; `otherwise` when that does not happen for a while. */
  waitUntil(seen: () => Value, otherwise: () => void): void {
    const left: Local = this.variable('i32', this.i32(looks));
    this.block((leave) => {
      this.loop((again: Label) => {
        this.branchIf(seen(), leave);
        this.set(left, this.sub(this.get(left), 1));
        this.branchIf(this.get(left), again);
      });
      otherwise();
    });
  }
}

function define(module: ModuleBuilder, name: keyof Bus, emit: (e: BusEmitter) => Value | undefined): void {
  const type: FunctionType = busTypes[name];
  const index = module.declare(type);
  const code = new CodeBuilder(type.parameters);
  const result = emit(new BusEmitter(code));
  if (result !== undefined) code.value(result);
  module.define(index, code);
  module.export(name, index);
}

/** @param others numbers of the other processors */
function emitLock(e: BusEmitter, processor: number, others: readonly number[]): Value {
  const giveUp = (): void => e.code.return(i32Constant(1));
  const before = e.exchange(boardWord.stop, e.i32(0), e.i32(processor + 1));
  e.ifUnlikely(before, giveUp);
  // A request that says more already stays.
  for (const position of others.keys()) e.exchange(state.request, e.i32(0), e.i32(stopRequest), firstOther + position);
  for (const other of others) e.waitUntil(() => e.isZero(e.read(boardWord.busy(other))), giveUp);
  return e.i32(0);
}

function emitUnlock(e: BusEmitter): undefined {
  e.write(boardWord.stop, e.i32(0));
  e.wake(boardWord.stop, boardWord.stopSleepers);
}

/** See `Siblings` for why each look comes after the write before it. */
function emitStepAside(e: BusEmitter, processor: number): Value {
  const busy = boardWord.busy(processor);
  const leave = (): void => e.code.return(i32Constant(0));
  e.loop((again) => {
    const request = e.exchange(state.request, e.i32(stopRequest), e.i32(0), own);
    e.ifUnlikely(e.and(e.ne(request, 0), e.ne(request, stopRequest)), leave);
    const holder = e.let(e.read(boardWord.stop));
    e.if(e.and(e.ne(holder, 0), e.ne(holder, processor + 1)), () => {
      e.write(busy, e.i32(0));
      e.wake(busy, boardWord.busySleepers);
      e.waitUntil(
        () => e.isZero(e.read(boardWord.stop)),
        () => {
          e.write(state.request, e.i32(kickRequest), own);
          e.write(busy, e.i32(1));
          leave();
        },
      );
      e.write(busy, e.i32(1));
      e.branch(again);
    });
  });
  e.ifUnlikely(e.read(boardWord.mail(processor)), () => {
    e.write(state.request, e.i32(kickRequest), own);
    leave();
  });
  return e.i32(1);
}

/** Who is alone does not ask the host, which takes longer than a lock that nobody has to answer. */
function emitExchangeWide(e: BusEmitter, others: readonly number[], host: number): Value {
  for (const other of others) {
    e.if(e.read(boardWord.busy(other)), () => {
      e.code.return(callFor('i32', host, [e.get(e.code.parameter(0))]));
    });
  }
  return e.i32(-1);
}

function buildBusModule(processor: number, others: readonly number[]): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const host = module.importFunction('exchangeWide', busTypes.exchangeWide);
  const vcpuPages = { initial: vcpuMemoryPages, maximum: vcpuMemoryPages };
  module.importMemory('vcpu', vcpuPages);
  module.importMemory('board', { initial: boardPages, maximum: boardPages });
  for (const other of others) module.importMemory(`vcpu${other}`, vcpuPages);
  define(module, 'lockBus', (e) => emitLock(e, processor, others));
  define(module, 'unlockBus', emitUnlock);
  define(module, 'stepAside', (e) => emitStepAside(e, processor));
  define(module, 'exchangeWide', (e) => emitExchangeWide(e, others, host));
  return module.finish();
}

/**
 * @param memories of all vCPUs
 * @param boardMemory see `allocateProcessorBoard`
 * @param exchangeWide how the host does it
 */
export function createBus(
  memories: readonly WasmMemory[],
  boardMemory: WasmMemory,
  processor: number,
  exchangeWide = noWideExchange,
): Bus {
  const others = [...memories.keys()].filter((number) => number !== processor);
  const module = new webAssembly.Module(buildBusModule(processor, others));
  const env = Object.fromEntries(others.map((other) => [`vcpu${other}`, memories[other]]));
  const imports = { env: { ...env, vcpu: memories[processor], board: boardMemory, exchangeWide } };
  return new webAssembly.Instance(module, imports).exports as unknown as Bus;
}
