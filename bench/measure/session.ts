/** The workloads: one guest for each runner, all up at once and idle but one, each workload on one after the other. */
import type { Image } from '../guest/image.ts';
import type { Ledger, Measure } from '../report/report.ts';
import { Guest } from '../runners/guest.ts';
import type { Runner } from '../runners/runner.ts';
import type { Workload } from '../workloads.ts';
import { monitorMemory } from './process.ts';

const memoryEnd: Measure = {
  name: 'memory-end',
  title: 'memory beside the guest, after all workloads',
  unit: 'MB',
  better: 'less',
};

const workloadTimeoutMs = 600_000;

export class Session {
  readonly #image: Image;
  readonly #ledger: Ledger;
  readonly #note: (text: string) => void;
  readonly #guests = new Map<Runner, Guest>();

  /** @param image holds every workload that is going to be run */
  constructor(image: Image, ledger: Ledger, note: (text: string) => void) {
    this.#image = image;
    this.#ledger = ledger;
    this.#note = note;
  }

  async start(runners: readonly Runner[]): Promise<void> {
    for (const runner of runners) await this.#start(runner);
  }

  async #start(runner: Runner): Promise<void> {
    this.#note(`starting ${runner.name} for the workloads`);
    const guest = new Guest(runner.command(this.#image));
    const ready = await guest.boot(runner.machine);
    if (ready.ok) {
      this.#guests.set(runner, guest);
      return;
    }
    this.#ledger.gap('workloads from some point on', runner.name, ready.error.message);
    await guest.kill();
  }

  /** Takes `runs` samples on every runner in turn; a runner that fails drops out of this workload. */
  async run(workload: Workload, runs: number): Promise<void> {
    const measure: Measure = { name: workload.name, title: workload.title, unit: 's', better: 'less' };
    const failed = new Set<Runner>();
    let expected: { readonly output: string; readonly runner: string } | undefined;
    for (let round = 1; round <= runs; round++) {
      for (const [runner, guest] of [...this.#guests]) {
        if (failed.has(runner)) continue;
        this.#note(`${workload.name}, round ${round} of ${runs}: ${runner.name}`);
        const run = await guest.run(workload.name, workloadTimeoutMs);
        if (run.ok) expected ??= { output: run.value.output, runner: runner.name };
        if (run.ok && run.value.output === expected?.output) {
          this.#ledger.add(measure, runner.name, run.value.seconds);
          continue;
        }
        failed.add(runner);
        const reason = run.ok ? `its output is not that of ${expected?.runner}` : run.error.message;
        this.#ledger.gap(round === 1 ? workload.name : `${workload.name} from round ${round} on`, runner.name, reason);
        if (!run.ok && run.error.kind !== 'status') await this.#restart(runner, guest);
      }
    }
  }

  async measureMemory(): Promise<void> {
    for (const [runner, guest] of this.#guests) {
      if (!runner.machine) continue;
      const now = await monitorMemory(guest.pid, this.#image.memoryMb * 2 ** 20).catch(() => undefined);
      if (now !== undefined) this.#ledger.add(memoryEnd, runner.name, now);
    }
  }

  async end(): Promise<void> {
    for (const guest of this.#guests.values()) await guest.off();
  }

  /** A guest that died or hangs makes room for a new one. */
  async #restart(runner: Runner, guest: Guest): Promise<void> {
    this.#guests.delete(runner);
    await guest.kill();
    await this.#start(runner);
  }
}
