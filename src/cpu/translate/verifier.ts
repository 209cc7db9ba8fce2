/**
 * Lockstep: runs a region, takes back what it did, runs the same instructions one by one on the interpreter, and
 * compares registers, flags and memory. A region that touched a device is believed: its effects cannot be taken back.
 */

import { status } from '../interpret/status.ts';
import type { WriteLog } from '../mmu/write-log.ts';
import { readEflags } from '../state/flags.ts';
import { segmentAt, state } from '../state/layout.ts';
import type { RegionFunction } from './detached-regions.ts';

/** What the verifier needs of its vCPU. */
export interface VerifiedCpu {
  readonly view: DataView;
  readonly log: WriteLog;
  /** Empties the TLB, so that every write passes the log. */
  flush(): void;
  /** Lets emitted code find none beyond what it runs in, so that it comes back there: other effects than to RAM are not taken back. */
  isolate(): void;
  reconnect(): void;
  /** The state block is what it was before: what is derived from it is to be derived anew. */
  restored(): void;
  /** Computes the status flags that the region deferred. */
  settle(): void;
  /** Runs one instruction on the interpreter. @returns its status. */
  step(): number;
  /** Text of the code at state.rip, for the report. */
  describe(rip: bigint): string;
  /** Whether the instruction at `rip` writes memory several times: a refused store leaves it half done. */
  writesOften(rip: bigint): boolean;
}

const registerNames = [
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
];
const slice = 400;
/** Times that a difference has to come up to be one. */
const attempts = 3;

interface Snapshot {
  readonly bytes: Uint8Array;
  readonly eflags: number;
}

interface Attempt {
  readonly outcome: number;
  /** A report. */
  readonly differences?: string;
}

class LockstepError extends Error {}

export class Verifier {
  readonly #cpu: VerifiedCpu;
  readonly #request: Int32Array;
  /** Somebody wanted the slice to end. */
  #kicked = false;
  /** Runs of regions that were compared, the instructions in them, and runs that could not be taken back. */
  verified = 0;
  verifiedInstructions = 0;
  believed = 0;

  constructor(cpu: VerifiedCpu) {
    this.#cpu = cpu;
    this.#request = new Int32Array(cpu.view.buffer, state.request, 1);
  }

  #snapshot(): Snapshot {
    const { view } = this.#cpu;
    return { bytes: new Uint8Array(view.buffer, 0, state.end).slice(), eflags: readEflags(view) };
  }

  /**
   * Runs `region` (entered at state.rip) in lockstep. What differs is tried again: a device's thread may have written what was
   * read twice. @returns a status, as the region would. @throws LockstepError.
   */
  run(region: RegionFunction, record: number): number {
    this.#cpu.isolate();
    for (let attempt = 1; ; attempt++) {
      this.#holdKicks();
      const { outcome, differences } = this.#attempt(region, record, attempt === attempts);
      if (differences === undefined) {
        this.#cpu.reconnect();
        if (this.#kicked) Atomics.store(this.#request, 0, -1);
        this.#kicked = false;
        return outcome;
      }
      if (attempt === attempts) throw new LockstepError(differences);
    }
  }

  /** A kick may come at any time, the clock's most of all; what sets IF would do something else on its account. */
  #holdKicks(): void {
    if (Atomics.exchange(this.#request, 0, 0) < 0) this.#kicked = true;
  }

  /** @param last leaves what differs as it is; otherwise that is taken back */
  #attempt(region: RegionFunction, record: number, last: boolean): Attempt {
    const { view, log } = this.#cpu;
    const budget = view.getInt32(state.budget, true);
    const extraBefore = view.getInt32(state.extraCost, true);
    const before = this.#snapshot();
    const rip = view.getBigUint64(state.rip, true);
    this.#cpu.flush();
    log.start();
    view.setInt32(state.budget, slice, true);
    const outcome = region(record, 0);
    this.#cpu.settle();
    const cost = slice - view.getInt32(state.budget, true);
    const count = cost - (view.getInt32(state.extraCost, true) - extraBefore);
    const after = this.#snapshot();
    const written = log.stop();
    view.setInt32(state.budget, budget - cost, true);
    if (log.device || log.code || (outcome === status.redo && this.#isHalfDone())) {
      this.believed++;
      return { outcome };
    }
    this.#takeBack(before, written);
    this.#cpu.flush();
    log.start();
    const interpreted = this.#interpret(count, outcome === status.fault);
    const again = log.stop();
    view.setInt32(state.budget, budget - cost, true);
    view.setInt32(state.extraCost, extraBefore + cost - count, true);
    const differences = [...this.#compareState(after, this.#snapshot()), ...this.#compareMemory(written, again)];
    if ((interpreted === status.fault) !== (outcome === status.fault)) {
      differences.push(`status: interpreter ${interpreted}, translator ${outcome}`);
    }
    if (differences.length > 0) {
      const place = `translated code differs after ${count} instructions from 0x${rip.toString(16)}`;
      const report = `${place}:\n${differences.join('\n')}\n${this.#cpu.describe(rip)}`;
      if (!last) this.#takeBack(before, again);
      return { outcome, differences: report };
    }
    this.verified++;
    this.verifiedInstructions += count;
    return { outcome: outcome === status.redo ? outcome : interpreted };
  }

  #takeBack(before: Snapshot, written: ReturnType<WriteLog['stop']>): void {
    this.#cpu.log.undo(written);
    this.#holdKicks();
    new Uint8Array(this.#cpu.view.buffer).set(before.bytes);
    this.#cpu.restored();
  }

  /** The interpreter goes on from there, or does it all once more. */
  #isHalfDone(): boolean {
    return this.#cpu.writesOften(this.#cpu.view.getBigUint64(state.rip, true));
  }

  #interpret(count: number, untilFault: boolean): number {
    for (let n = untilFault ? -1 : 0; n < count; n++) {
      const outcome = this.#cpu.step();
      this.#holdKicks();
      if (outcome === status.fault) return outcome;
    }
    return untilFault ? status.next : status.lookup;
  }

  #compareState(translated: Snapshot, interpreted: Snapshot): string[] {
    const [a, b] = [new DataView(translated.bytes.buffer), new DataView(interpreted.bytes.buffer)];
    const differences: string[] = [];
    const compare = (name: string, x: bigint | number, y: bigint | number): void => {
      if (x !== y) differences.push(`${name}: interpreter ${y.toString(16)}, translator ${x.toString(16)}`);
    };
    for (const [n, name] of registerNames.entries())
      compare(name, a.getBigUint64(n * 8, true), b.getBigUint64(n * 8, true));
    const fault = a.getInt32(state.fault, true);
    if (fault === 0) compare('rip', a.getBigUint64(state.rip, true), b.getBigUint64(state.rip, true));
    compare('eflags', translated.eflags, interpreted.eflags);
    compare('fault', fault, b.getInt32(state.fault, true));
    if (fault !== 0) compare('error', a.getInt32(state.faultError, true), b.getInt32(state.faultError, true));
    for (let at = segmentAt(0); at < segmentAt(6); at += 8)
      compare(`state+${at.toString(16)}`, a.getBigUint64(at, true), b.getBigUint64(at, true));
    for (let at = state.xmm as number; at < state.fcw; at += 8)
      compare(`state+${at.toString(16)}`, a.getBigUint64(at, true), b.getBigUint64(at, true));
    compare('mxcsr', a.getUint32(state.mxcsr, true), b.getUint32(state.mxcsr, true));
    return differences;
  }

  #compareMemory(
    translated: ReadonlyMap<number, { readonly after: number }>,
    interpreted: ReadonlyMap<number, { readonly after: number }>,
  ): string[] {
    const differences: string[] = [];
    for (const offset of new Set([...translated.keys(), ...interpreted.keys()])) {
      const [x, y] = [translated.get(offset)?.after, interpreted.get(offset)?.after];
      if (x !== y)
        differences.push(`RAM ${offset.toString(16)}: interpreter ${y?.toString(16)}, translator ${x?.toString(16)}`);
    }
    return differences.slice(0, 16);
  }
}
