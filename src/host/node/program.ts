/** Runs programs of the host whose progress can be read while they run. */
import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fail, ok, type Result } from '../../support/result.ts';

export interface ProgramOptions {
  readonly cwd: string;
  /** Told each line that the program writes to descriptor 3. */
  readonly onReport?: (line: string) => void;
  /** Told each line of its output. Its input stays open then, until this ends it. */
  readonly onOutput?: (line: string, input: Writable, pid: number) => void;
}

/** What is kept of a program's output, for the message of its failure. */
const keptLines = 200;
/** Where the tools of file systems and users are, on systems that keep them from PATH. */
const administration = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The environment of the host's programs: messages in English, and also the tools of administrators. */
export function programEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const path = (env.PATH ?? '/usr/bin:/bin').split(':');
  return { ...env, LC_ALL: 'C.UTF-8', PATH: [...path, ...administration.filter((x) => !path.includes(x))].join(':') };
}

/** Whether a program of that name is there. */
export async function hasProgram(name: string): Promise<boolean> {
  for (const folder of (programEnvironment().PATH ?? '').split(delimiter)) {
    const found = await access(join(folder, name), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** Runs `command` to its end. @returns the lines of its output and errors; fails with `program` and the last of them */
export async function runProgram(
  command: readonly [string, ...string[]],
  options: ProgramOptions,
): Promise<Result<string[]>> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: programEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > keptLines && options.onReport !== undefined) lines.shift();
  };
  const reading = [
    readLines(child.stdout, (line) => {
      keep(line);
      options.onOutput?.(line, child.stdin, child.pid as number);
    }),
    readLines(child.stderr, keep),
    readLines(child.stdio[3] as Readable, options.onReport ?? (() => {})),
  ];
  child.stdin.on('error', () => {}); // It may end before it reads anything.
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (status, signal) =>
      resolve(status === 0 ? '' : `it ended with ${signal ?? `status ${status}`}`),
    );
  });
  if (options.onOutput === undefined) child.stdin.end();
  const reason = await ended;
  await Promise.all(reading);
  return reason === '' ? ok(lines) : fail('program', `${program} failed: ${sayWhy(lines, reason)}`);
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  stream.on('error', () => {});
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) onLine(line);
}

/** The line that tells most: the last of apt's and dpkg's error lines, or the last of all. */
function sayWhy(lines: readonly string[], reason: string): string {
  const said = lines.map((line) => line.trim()).filter((line) => line !== '');
  const error = said.findLast((line) => /^(E:|Err:|dpkg: error|mke2fs:|unshare:|mount:|tar:)/.test(line));
  return error ?? said.at(-1) ?? reason;
}
