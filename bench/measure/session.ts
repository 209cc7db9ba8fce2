/** One guest for each runner, all up at once and idle but one: what they cost, and workloads in turn. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Image } from '../guest/image.ts';
import type { Ledger, Measure } from '../report/report.ts';
import { Guest } from '../runners/guest.ts';
import type { Runner } from '../runners/runner.ts';
import type { Workload } from '../workloads.ts';
import { bootTimeoutMs } from './boots.ts';
import { monitorMemory, processorLoad } from './process.ts';

const idle: Measure = { name: 'idle', title: 'load of an idle guest on one host core', unit: '%' };
const memoryBoot: Measure = { name: 'memory-boot', title: 'memory beside the guest, largest during boot', unit: 'MB' };
const memoryEnd: Measure = { name: 'memory-end', title: 'memory beside the guest, after all workloads', unit: 'MB' };

const settleMs = 3000;
const idleSeconds = 10;
const memoryPeriodMs = 200;
const workloadTimeoutMs = 600_000;

export interface SessionPlan {
  readonly runners: readonly Runner[];
  readonly image: Image;
  readonly workloads: readonly Workload[];
  readonly runs: number;
  /** Which of the names `idle` and `memory` are wanted. */
  readonly wants: (name: string) => boolean;
}

export class Session {
  readonly #plan: SessionPlan;
  readonly #ledger: Ledger;
  readonly #note: (text: string) => void;
  readonly #guests = new Map<Runner, Guest>();

  constructor(plan: SessionPlan, ledger: Ledger, note: (text: string) => void) {
    this.#plan = plan;
    this.#ledger = ledger;
    this.#note = note;
  }

  async run(): Promise<void> {
    const { runners, workloads, wants } = this.#plan;
    for (const runner of runners) await this.#start(runner, wants('memory'));
    if (wants('idle')) await this.#measureIdle();
    for (const workload of workloads) await this.#measureWorkload(workload);
    if (wants('memory') && workloads.length > 0) await this.#measureMemoryEnd();
    for (const guest of this.#guests.values()) await guest.off();
  }

  /** Boots one guest. This boot is not timed, so its memory can be watched. */
  async #start(runner: Runner, watchMemory: boolean): Promise<void> {
    this.#note(`starting ${runner.name} for the workloads`);
    const guest = new Guest(runner.command(this.#plan.image));
    let up = false;
    const watch = watchMemory && runner.machine ? this.#watchMemory(runner, guest, () => up) : undefined;
    const init = runner.machine ? await guest.expect('init', bootTimeoutMs) : undefined;
    const ready = init?.ok === false ? init : await guest.expect('ready', bootTimeoutMs);
    up = true;
    await watch;
    if (ready.ok) {
      this.#guests.set(runner, guest);
      return;
    }
    this.#ledger.gap('everything after its start', runner.name, ready.error.message);
    await guest.kill();
  }

  async #watchMemory(runner: Runner, guest: Guest, finished: () => boolean): Promise<void> {
    let largest: number | undefined;
    let last = false;
    while (!last) {
      last = finished();
      const now = await this.#memory(guest);
      if (now !== undefined) largest = Math.max(largest ?? 0, now);
      if (!last) await delay(memoryPeriodMs);
    }
    if (largest !== undefined) this.#ledger.add(memoryBoot, runner.name, largest);
    else this.#ledger.gap('memory', runner.name, "its process shows no mapping of the guest memory's size");
  }

  /** Undefined also for a process that has ended. */
  #memory(guest: Guest): Promise<number | undefined> {
    return monitorMemory(guest.pid, this.#plan.image.memoryMb * 2 ** 20).catch(() => undefined);
  }

  async #measureIdle(): Promise<void> {
    await delay(settleMs);
    for (const [runner, guest] of this.#guests) {
      if (!runner.machine) continue;
      this.#note(`idle load: ${runner.name}`);
      const load = await processorLoad(guest.pid, idleSeconds).catch(() => undefined);
      if (load === undefined) this.#ledger.gap('idle load', runner.name, 'its process has ended');
      else this.#ledger.add(idle, runner.name, load);
    }
  }

  async #measureMemoryEnd(): Promise<void> {
    for (const [runner, guest] of this.#guests) {
      const now = runner.machine ? await this.#memory(guest) : undefined;
      if (now !== undefined) this.#ledger.add(memoryEnd, runner.name, now);
    }
  }

  async #measureWorkload(workload: Workload): Promise<void> {
    const measure: Measure = { name: workload.name, title: workload.title, unit: 's' };
    const failed = new Set<Runner>();
    let expected: { readonly result: string; readonly runner: string } | undefined;
    for (let round = 1; round <= this.#plan.runs; round++) {
      for (const [runner, guest] of [...this.#guests]) {
        if (failed.has(runner)) continue;
        this.#note(`${workload.name}, round ${round} of ${this.#plan.runs}: ${runner.name}`);
        const run = await guest.run(workload.name, workloadTimeoutMs);
        expected ??= run.ok ? { result: run.value.result, runner: runner.name } : undefined;
        if (run.ok && run.value.result === expected?.result) {
          this.#ledger.add(measure, runner.name, run.value.seconds);
          continue;
        }
        failed.add(runner);
        const difference = `its result differs from that of ${expected?.runner}`;
        this.#ledger.gap(workload.name, runner.name, run.ok ? `${difference}: ${run.value.result}` : run.error.message);
        if (!run.ok) await this.#restart(runner, guest);
      }
    }
  }

  /** A guest that died or hangs makes room for a new one. */
  async #restart(runner: Runner, guest: Guest): Promise<void> {
    this.#guests.delete(runner);
    await guest.kill();
    await this.#start(runner, false);
  }
}
