/** A machine (or the native shell) as a process whose standard streams are a guest's console. */
import { type OwnedProcess, startOwned } from '../measure/owned-process.ts';
import type { Command } from './runner.ts';

/** How much of the console is kept to tell what a guest said last. */
const tailLength = 2000;
/** How much of what the machine itself says is kept: its statistics come last. */
const keptCharacters = 100_000;

export class MachineProcess {
  /** By `performance.now()`. */
  readonly startedMs: number;
  readonly ended: Promise<void>;
  stderr = '';
  readonly #child: OwnedProcess;
  readonly #kill: () => void;
  #console = '';
  #end: string | undefined;

  /** @param onConsole told what the console shows; @param onEnd that it has ended */
  constructor(command: Command, onConsole: (text: string, atMs: number) => void, onEnd: () => void) {
    this.startedMs = performance.now();
    const { child, kill } = startOwned(command);
    this.#child = child;
    this.#kill = kill;
    child.stdout.on('data', (bytes: Buffer) => {
      const atMs = performance.now();
      const text = bytes.toString('latin1');
      this.#console = (this.#console + text).slice(-tailLength);
      onConsole(text, atMs);
    });
    child.stderr.on('data', (bytes: Buffer) => {
      this.stderr = (this.stderr + bytes.toString('utf8')).slice(-keptCharacters);
    });
    this.ended = new Promise((resolve) => {
      const finish = (reason: string): void => {
        this.#end ??= reason;
        onEnd();
        resolve();
      };
      child.once('error', (error) => finish(error.message));
      child.once('close', (status, signal) => finish(`it ended with ${signal ?? `status ${status}`}`));
    });
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How it ended; undefined while it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Types for the last time. */
  typeLast(text: string): void {
    this.#child.stdin.end(text);
  }

  /** Resolves when it has ended by itself, or by force once `patienceMs` have passed. */
  async endWithin(patienceMs: number): Promise<void> {
    const timer = setTimeout(this.#kill, patienceMs);
    await this.ended;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    this.#kill();
    await this.ended;
  }

  /** To be put behind a reason. */
  lastWords(): string {
    const said = (this.stderr.trim() || this.#console.trim()).split(/\r?\n/);
    const lines = said.filter((line) => !line.startsWith('@bench')).slice(-2);
    const text = lines.join(' / ').trim();
    return text === '' ? '' : `; its last words: ${text}`;
  }
}
