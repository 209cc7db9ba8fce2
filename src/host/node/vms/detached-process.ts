/** Starts a virtual machine as a process without a terminal, and learns whether it runs. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import { randomBytes } from '../random.ts';
import { messagesFile, type VmClaim } from './registry.ts';
import { privateFileMode, providePrivateFolder, vmsFolder } from './vm-folders.ts';

/** How often what it says is passed on until it runs. */
const relayMs = 100;
const relayBytes = 64 << 10;
const startedMessage = 'started';
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** `ended`: it has said why, and its status is the user's. */
export type DetachedStart = { readonly kind: 'started' } | { readonly kind: 'ended'; readonly status: number };

/**
 * Runs this program again, with arguments of which the first is a file for its messages. Resolves when that process
 * calls `reportStarted`, or has ended.
 * @param argumentsWith the arguments, given that file
 * @param relay takes what it says until then
 */
export async function startDetached(
  argumentsWith: (messages: string) => readonly string[],
  relay: (text: Uint8Array) => void,
): Promise<Result<DetachedStart>> {
  const provided = providePrivateFolder(vmsFolder());
  if (!provided.ok) return provided;
  const messages = join(vmsFolder(), `.starting-${randomBytes(8).toString('hex')}.log`);
  let file: number;
  try {
    file = openSync(messages, 'ax+', privateFileMode);
  } catch (error) {
    return fail('input', `${messages} cannot be written (${(error as Error).message}).`);
  }
  const copy = copier(file, relay);
  const timer = setInterval(copy, relayMs);
  try {
    return ok(await start(argumentsWith(messages), file));
  } finally {
    clearInterval(timer);
    copy();
    closeSync(file);
    // The process has given it its place, unless it did not come that far.
    rmSync(messages, { force: true });
  }
}

/** Called by the process that was started: its guest runs. */
export function reportStarted(): void {
  if (process.connected) process.send?.(startedMessage, undefined, undefined, () => process.disconnect?.());
}

/** Gives the messages of this process their place among what is kept of its virtual machine. */
export function keepMessages(messages: string, claim: VmClaim): Result<void> {
  try {
    renameSync(messages, messagesFile(claim.stateFolder));
    return ok(undefined);
  } catch (error) {
    return fail('input', `${messages} cannot be kept (${(error as Error).message}).`);
  }
}

function start(args: readonly string[], file: number): Promise<DetachedStart> {
  const program = [...process.execArgv, process.argv[1] as string, ...args];
  // A session of its own: no terminal, and none of its signals.
  const child = spawn(process.execPath, program, { detached: true, stdio: ['ignore', file, file, 'ipc'] });
  return new Promise((resolve) => {
    // The user has changed their mind; what was begun is undone by the process itself.
    const interrupt = (signal: NodeJS.Signals): void => void child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    const settle = (result: DetachedStart): void => {
      for (const signal of signals) process.off(signal, interrupt);
      if (child.connected) child.disconnect();
      child.unref();
      resolve(result);
    };
    for (const signal of signals) process.on(signal, interrupt);
    child.once('message', (message) => {
      if (message === startedMessage) settle({ kind: 'started' });
    });
    child.once('error', () => settle({ kind: 'ended', status: 70 }));
    child.once('exit', (status, signal) =>
      settle({ kind: 'ended', status: status ?? 128 + constants.signals[signal ?? 'SIGKILL'] }),
    );
  });
}

/** @returns what passes on everything written to `file` since the last time */
function copier(file: number, relay: (text: Uint8Array) => void): () => void {
  let at = 0;
  return () => {
    for (;;) {
      const bytes = new Uint8Array(relayBytes);
      const count = readSync(file, bytes, 0, bytes.length, at);
      if (count === 0) return;
      at += count;
      relay(bytes.subarray(0, count));
    }
  };
}
