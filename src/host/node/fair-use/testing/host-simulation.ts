/**
 * A host with virtual machines that want to run all the time or now and then, and with other programs, in simulated time.
 * Its scheduler gives each core to the thread that has had least, as the kernel does, for a millisecond each.
 */

import { type Block, blockedForNs } from '../block.ts';
import { Governor } from '../governor.ts';
import type { Peer } from '../share-board.ts';
import type { ProcessorShare, ShareRecord } from '../share-record.ts';
import { RecentRate } from '../usage.ts';

export interface SimulatedVm extends Partial<ProcessorShare> {
  /** Processors; 1 if not said. */
  readonly processors?: number;
  /** Cores' worth of work that comes in for each of its processors; by default more than it can do. */
  readonly work?: number;
}

export interface SimulatedHost {
  readonly cores: number;
  readonly vms: readonly SimulatedVm[];
  /** Threads of other programs that always run. */
  readonly others?: number;
}

const stepNs = 1e6;
/** A thread that has slept is not given all that it could have had. */
const longestWaitNs = 3e6;
/** Work comes in now and then. */
const workNs = 100e6;

interface Thread {
  runNs: number;
  vm: Vm | undefined;
  /** `Infinity`: it never ends. */
  pendingNs: number;
  readonly work: number;
  haltedNs: number;
}

interface Vm {
  usedNs: number;
  isPaused: boolean;
  looks: number;
  block: Block | undefined;
  lookAtNs: number;
  record: ShareRecord | undefined;
  /** @returns milliseconds until the next */
  look: () => number;
}

/** Not from 0 on: times are large numbers. */
const startNs = 3e14;

export class HostSimulation {
  #nowNs = startNs;
  readonly #cores: number;
  readonly #vms: Vm[] = [];
  readonly #threads: Thread[] = [];
  readonly #idle = new RecentRate();
  #idleNs = 0;

  constructor({ cores, vms, others = 0 }: SimulatedHost) {
    this.#cores = cores;
    for (const [number, vm] of vms.entries()) this.#add(number, vm);
    for (let n = 0; n < others; n++) this.#addThread(undefined, Number.POSITIVE_INFINITY);
  }

  /** @returns cores that each virtual machine has used meanwhile */
  run(seconds: number): number[] {
    const before = this.#vms.map(({ usedNs }) => usedNs);
    for (const endNs = this.#nowNs + seconds * 1e9; this.#nowNs < endNs; ) this.#step();
    return this.#vms.map(({ usedNs }, n) => (usedNs - (before[n] as number)) / (seconds * 1e9));
  }

  setPaused(number: number, isPaused: boolean): void {
    (this.#vms[number] as Vm).isPaused = isPaused;
  }

  /** How often that virtual machine's governor has looked so far. */
  looks(number: number): number {
    return (this.#vms[number] as Vm).looks;
  }

  #step(): void {
    for (const vm of this.#vms) {
      if (vm.lookAtNs > this.#nowNs) continue;
      vm.lookAtNs = this.#nowNs + vm.look() * 1e6;
      vm.looks++;
    }
    for (const thread of this.#threads) {
      if (this.#nowNs % workNs === 0) thread.pendingNs += thread.work * workNs;
      if (thread.pendingNs <= 0) thread.haltedNs += stepNs;
    }
    const runnable = this.#threads.filter(({ pendingNs, vm }) => pendingNs > 0 && !this.#isHeld(vm));
    runnable.sort((a, b) => a.runNs - b.runNs);
    const least = runnable[0]?.runNs ?? 0;
    for (const thread of runnable) thread.runNs = Math.max(thread.runNs, least);
    for (const thread of runnable.slice(0, this.#cores)) {
      thread.runNs += stepNs;
      thread.pendingNs -= stepNs;
      if (thread.vm !== undefined) thread.vm.usedNs += stepNs;
    }
    // Who did not want to run does not get it afterwards.
    const most = Math.max(...runnable.map(({ runNs }) => runNs));
    for (const thread of this.#threads) {
      if (!runnable.includes(thread)) thread.runNs = Math.max(thread.runNs, most - longestWaitNs);
    }
    this.#idleNs += Math.max(0, this.#cores - runnable.length) * stepNs;
    this.#nowNs += stepNs;
    if (this.#nowNs % 500e6 === 0) this.#idle.add(this.#nowNs, this.#idleNs);
  }

  #add(
    number: number,
    { processors = 1, work = Number.POSITIVE_INFINITY, shares = 1024, reserve = 0, limit }: SimulatedVm,
  ): void {
    const key = String(number);
    // They do not all look at the same time.
    const lookAtNs = startNs + number * 7e6;
    const look = (): number => 0;
    const vm: Vm = { usedNs: 0, isPaused: false, looks: 0, block: undefined, lookAtNs, record: undefined, look };
    const threads = Array.from({ length: processors }, () => this.#addThread(vm, work));
    const governor = new Governor({
      share: { shares, reserve, limit },
      identity: { pid: number + 1, started: key },
      host: { cores: this.#cores, idleCores: () => this.#idle.value, usedNs: () => vm.usedNs },
      processors: {
        count: processors,
        nowNs: () => this.#nowNs,
        idleNs: (n) => (threads[n] as Thread).haltedNs,
        isPaused: () => vm.isPaused,
        block: (block) => {
          vm.block = block;
        },
      },
      board: {
        key,
        publish: (record) => {
          vm.record = record;
        },
        peers: () => this.#peersOf(vm),
      },
    });
    vm.look = () => governor.look();
    this.#vms.push(vm);
  }

  #addThread(vm: Vm | undefined, work: number): Thread {
    const thread = { runNs: 0, vm, pendingNs: work === Number.POSITIVE_INFINITY ? work : 0, work, haltedNs: 0 };
    this.#threads.push(thread);
    return thread;
  }

  #isHeld(vm: Vm | undefined): boolean {
    if (vm?.isPaused) return true;
    const block = vm?.block;
    return block !== undefined && blockedForNs(this.#nowNs, block) > 0;
  }

  #peersOf(own: Vm): Peer[] {
    return this.#vms.flatMap((vm, n) =>
      vm === own || vm.record === undefined ? [] : [{ key: String(n), record: vm.record }],
    );
  }
}
