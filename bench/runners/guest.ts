import { fail, ok, type Result } from '../../src/support/result.ts';
import { type Marker, type MarkerKind, MarkerReader } from '../guest/marker.ts';
import { MachineProcess } from './machine-process.ts';
import type { Command } from './runner.ts';

export interface TimedMarker extends Marker {
  readonly atMs: number;
}

export interface WorkloadRun {
  readonly seconds: number;
  /** A checksum of what it printed. */
  readonly output: string;
}

/** For the slowest of machines on the slowest of hosts. */
export const bootTimeoutMs = 300_000;
const offTimeoutMs = 60_000;

/** A running guest (or the native shell), driven over its console. */
export class Guest {
  readonly #process: MachineProcess;
  readonly #reader = new MarkerReader();
  readonly #markers: TimedMarker[] = [];
  #changed: () => void = () => {};

  constructor(command: Command) {
    const receive = (text: string, atMs: number): void => {
      for (const marker of this.#reader.push(text)) this.#markers.push({ ...marker, atMs });
      this.#changed();
    };
    this.#process = new MachineProcess(command, receive, () => this.#changed());
  }

  get startedMs(): number {
    return this.#process.startedMs;
  }

  /** What the machine itself said. */
  get stderr(): string {
    return this.#process.stderr;
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#process.pid;
  }

  /** The next marker, which has to be of this kind. */
  async expect(kind: MarkerKind, timeoutMs: number): Promise<Result<TimedMarker>> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#markers.length === 0) {
      const { end } = this.#process;
      if (end !== undefined) return fail('died', `${end}${this.#process.lastWords()}`);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) {
        return fail('timeout', `no sign of "${kind}" within ${timeoutMs / 1000} s${this.#process.lastWords()}`);
      }
      await this.#change(leftMs);
    }
    const marker = this.#markers.shift() as TimedMarker;
    return marker.kind === kind ? ok(marker) : fail('protocol', `it said "${marker.kind}" and not "${kind}"`);
  }

  /** Waits until its shell reads commands. @param machine whether there is something to boot */
  async boot(machine: boolean): Promise<Result<TimedMarker>> {
    const init = machine ? await this.expect('init', bootTimeoutMs) : undefined;
    return init?.ok === false ? init : this.expect('ready', bootTimeoutMs);
  }

  /** Runs a workload that its image holds. A failure of kind `status` leaves the guest as good as before. */
  async run(name: string, timeoutMs: number): Promise<Result<WorkloadRun>> {
    this.#process.type(`run ${name}\n`);
    const start = await this.expect('start', timeoutMs);
    if (!start.ok) return start;
    const end = await this.expect('end', timeoutMs);
    if (!end.ok) return end;
    const output = await this.expect('output', timeoutMs);
    if (!output.ok) return output;
    const status = end.value.words[1];
    if (status !== '0') return fail('status', `it ended with status ${status}${this.#process.lastWords()}`);
    return ok({ seconds: (end.value.atMs - start.value.atMs) / 1000, output: output.value.words[1] ?? '' });
  }

  /** Powers it off; whoever does not go is killed. */
  async off(): Promise<void> {
    this.#process.typeLast('off\n');
    await this.#process.endWithin(offTimeoutMs);
  }

  kill(): Promise<void> {
    return this.#process.kill();
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
