/** A Debian that boots to its login prompt and is worked with over SSH. */
import { setTimeout as delay } from 'node:timers/promises';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { MarkerReader } from '../guest/marker.ts';
import { runOwned } from '../measure/owned-process.ts';
import { bootTimeoutMs } from './guest.ts';
import { MachineProcess } from './machine-process.ts';
import type { Command } from './runner.ts';

export interface SshAccess {
  /** The file with root's private key. */
  readonly key: string;
  /** The host's port that leads to the guest's SSH server. */
  readonly port: number;
}

const retryMs = 500;

const sshSettings = [
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'BatchMode=yes',
  'LogLevel=ERROR',
  'ConnectTimeout=120',
].flatMap((setting) => ['-o', setting]);

/** The shell script that `DebianGuest.time` runs. What the commands print is shown only if they fail. */
export function timedScript(prepare: string, command: string): string {
  return `{ ${prepare}
} >/tmp/bench-output 2>&1 </dev/null || { tail -n 1 /tmp/bench-output >&2; exit 1; }
echo @bench start timed@
( ${command}
) >/tmp/bench-output 2>&1 </dev/null
s=$?
echo "@bench end timed $s@"
[ $s = 0 ] || tail -n 1 /tmp/bench-output >&2
exit $s
`;
}

export class DebianGuest {
  readonly #process: MachineProcess;
  readonly #access: SshAccess | undefined;
  readonly #onEnd: () => Promise<void>;
  #console = '';
  #promptMs: number | undefined;
  #changed: () => void = () => {};

  /** @param onEnd called by `kill`, when the machine is gone */
  constructor(command: Command, access: SshAccess | undefined, onEnd: () => Promise<void> = async () => {}) {
    this.#access = access;
    this.#onEnd = onEnd;
    const look = (text: string, atMs: number): void => {
      if (this.#promptMs !== undefined) return;
      this.#console = this.#console.slice(-100) + text;
      if (!/ login: /.test(this.#console)) return;
      this.#promptMs = atMs;
      this.#changed();
    };
    this.#process = new MachineProcess(command, look, () => this.#changed());
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Why it is no more; undefined while it runs. */
  get end(): string | undefined {
    const { end } = this.#process;
    return end === undefined ? undefined : `the machine is gone: ${end}${this.#process.lastWords()}`;
  }

  /** Waits for the login prompt. @returns the seconds from the start of its process */
  async logIn(): Promise<Result<number>> {
    const settled = new Promise<void>((resolve) => {
      this.#changed = resolve;
    });
    const waiting = new AbortController();
    if (this.#promptMs === undefined && this.end === undefined) {
      await Promise.race([settled, delay(bootTimeoutMs, undefined, { signal: waiting.signal }).catch(() => {})]);
    }
    waiting.abort();
    if (this.#promptMs !== undefined) return ok((this.#promptMs - this.#process.startedMs) / 1000);
    const why = this.end ?? `no login prompt within ${bootTimeoutMs / 1000} s${this.#process.lastWords()}`;
    return fail('boot', why);
  }

  /** Runs a shell command as root. @returns what it prints on standard output */
  async run(
    command: string,
    timeoutMs: number,
    more: { readonly input?: Uint8Array; readonly onOutput?: (text: string) => void } = {},
  ): Promise<Result<string>> {
    if (this.end !== undefined) return fail('died', this.end);
    if (this.#access === undefined) return fail('unavailable', 'ssh is not installed on the host');
    const { key, port } = this.#access;
    const args = ['-i', key, ...sshSettings, '-p', `${port}`, 'root@127.0.0.1', command];
    const done = await runOwned({ program: 'ssh', args }, { timeoutMs, ...more });
    return done.ok || this.end === undefined ? done : fail('died', this.end);
  }

  /** Waits until its SSH server lets us in. */
  async reach(timeoutMs: number): Promise<Result<string>> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const leftMs = deadlineMs - performance.now();
      const reached = await this.run('true', Math.max(leftMs, 1));
      if (reached.ok || this.#access === undefined || this.end !== undefined || leftMs <= retryMs) return reached;
      await delay(retryMs);
    }
  }

  /**
   * Times a shell command by the host's clock, without the login around it.
   * @param prepare shell commands that are not timed
   * @returns seconds
   */
  async time(prepare: string, command: string, timeoutMs: number): Promise<Result<number>> {
    const reader = new MarkerReader();
    let [startMs, endMs] = [Number.NaN, Number.NaN];
    const onOutput = (text: string): void => {
      for (const { kind } of reader.push(text)) {
        if (kind === 'start') startMs = performance.now();
        else if (kind === 'end') endMs = performance.now();
      }
    };
    const ran = await this.run(timedScript(prepare, command), timeoutMs, { onOutput });
    if (!ran.ok) return ran;
    const seconds = (endMs - startMs) / 1000;
    return Number.isFinite(seconds) ? ok(seconds) : fail('protocol', 'it did not say when it started and ended');
  }

  /** Its disk is thrown away, so nothing is shut down. */
  async kill(): Promise<void> {
    await this.#process.kill();
    await this.#onEnd();
  }
}
