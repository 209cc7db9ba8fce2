/** Programs of the host that the bench starts: none of them outlives it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { programEnvironment } from '../../src/host/node/program.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';
import type { Command } from '../runners/runner.ts';

export type OwnedProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts a program, which is killed when the bench ends, however that comes.
 * @param family whether what it starts in turn goes with it
 */
export function startOwned(command: Command, family = false): { child: OwnedProcess; kill: () => void } {
  const child = spawn(command.program, command.args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: programEnvironment(),
    detached: family,
  });
  const kill = (): void => {
    try {
      if (!family) child.kill('SIGKILL');
      else if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has just ended.
    }
  };
  const forget = (): void => void process.off('exit', kill);
  process.once('exit', kill);
  child.once('error', forget);
  child.once('close', forget);
  child.stdin.on('error', () => {}); // It may have ended; whoever waits for it learns that.
  return { child, kill };
}

export interface OwnedOptions {
  readonly timeoutMs: number;
  readonly input?: Uint8Array;
  readonly family?: boolean;
  /** Told its output as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** More than any program here has to say; one that says more is ended. */
const outputLimit = 1 << 24;

/** Runs a program to its end. @returns what it printed; a failure has the last line that it had to say */
export async function runOwned(command: Command, options: OwnedOptions): Promise<Result<string>> {
  const { child, kill } = startOwned(command, options.family ?? false);
  let [stdout, stderr, stopped] = ['', '', ''];
  const stop = (reason: string): void => {
    stopped ||= reason;
    kill();
  };
  const timer = setTimeout(() => stop(`it took more than ${options.timeoutMs / 1000} s`), options.timeoutMs);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    options.onOutput?.(text);
    if (stdout.length > outputLimit) stop('it printed without end');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-10_000);
  });
  child.stdin.end(options.input);
  const reason = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (status, signal) =>
      resolve(status === 0 ? '' : `it ended with ${signal ?? `status ${status}`}`),
    );
  });
  clearTimeout(timer);
  if (stopped !== '') return fail('timeout', stopped);
  return reason === '' ? ok(stdout) : fail('program', withLastLine(reason, stderr.trim() || stdout));
}

/** `reason` with what was said last, as far as that fits into a line of a report. */
export function withLastLine(reason: string, said: string): string {
  const last = said.trim().split(/\r?\n/).at(-1)?.trim().slice(0, 200) ?? '';
  return last === '' ? reason : `${reason}: ${last}`;
}
