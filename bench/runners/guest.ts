import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { type Marker, type MarkerKind, MarkerReader } from '../guest/marker.ts';
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
/** How much of the console is kept to tell what a guest said last. */
const tailLength = 2000;

/** A running guest (or the native shell), driven over its console. */
export class Guest {
  readonly startedMs: number;
  readonly ended: Promise<void>;
  stderr = '';
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #reader = new MarkerReader();
  readonly #markers: TimedMarker[] = [];
  #console = '';
  #end: string | undefined;
  #changed: () => void = () => {};
  readonly #kill = (): void => void this.#child.kill('SIGKILL');

  constructor(command: Command) {
    this.startedMs = performance.now();
    this.#child = spawn(command.program, command.args, { stdio: ['pipe', 'pipe', 'pipe'] });
    process.once('exit', this.#kill);
    this.#child.stdin.on('error', () => {}); // It may have ended; waiting for its marker tells.
    this.#child.stdout.on('data', (bytes: Buffer) => this.#receive(bytes, performance.now()));
    this.#child.stderr.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString('utf8');
    });
    this.ended = new Promise((resolve) => {
      const finish = (reason: string): void => {
        this.#end ??= reason;
        process.off('exit', this.#kill);
        this.#changed();
        resolve();
      };
      this.#child.once('error', (error) => finish(error.message));
      this.#child.once('close', (status, signal) => finish(`it ended with ${signal ?? `status ${status}`}`));
    });
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The next marker, which has to be of this kind. */
  async expect(kind: MarkerKind, timeoutMs: number): Promise<Result<TimedMarker>> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#markers.length === 0) {
      if (this.#end !== undefined) return fail('died', `${this.#end}${this.#lastWords()}`);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return fail('timeout', `no sign of "${kind}" within ${timeoutMs / 1000} s${this.#lastWords()}`);
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
    this.#child.stdin.write(`run ${name}\n`);
    const start = await this.expect('start', timeoutMs);
    if (!start.ok) return start;
    const end = await this.expect('end', timeoutMs);
    if (!end.ok) return end;
    const output = await this.expect('output', timeoutMs);
    if (!output.ok) return output;
    const status = end.value.words[1];
    if (status !== '0') return fail('status', `it ended with status ${status}${this.#lastWords()}`);
    return ok({ seconds: (end.value.atMs - start.value.atMs) / 1000, output: output.value.words[1] ?? '' });
  }

  /** Powers it off; whoever does not go is killed. */
  async off(): Promise<void> {
    this.#child.stdin.end('off\n');
    const timer = setTimeout(this.#kill, offTimeoutMs);
    await this.ended;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    this.#kill();
    await this.ended;
  }

  #receive(bytes: Buffer, atMs: number): void {
    const text = bytes.toString('latin1');
    this.#console = (this.#console + text).slice(-tailLength);
    for (const marker of this.#reader.push(text)) this.#markers.push({ ...marker, atMs });
    this.#changed();
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

  #lastWords(): string {
    const said = (this.stderr.trim() || this.#console.trim()).split(/\r?\n/);
    const lines = said.filter((line) => !line.startsWith('@bench')).slice(-2);
    const text = lines.join(' / ').trim();
    return text === '' ? '' : `; its last words: ${text}`;
  }
}
