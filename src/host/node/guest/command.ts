import { spawn } from 'node:child_process';
import { buffer, text } from 'node:stream/consumers';

export interface CommandResult {
  readonly ok: boolean;
  readonly stdout: Uint8Array;
  /** What it wrote on standard error, or why it could not be started. */
  readonly message: string;
}

/** Runs a program of the host to its end. `input` is the command whose output it reads. */
export async function runCommand(
  command: readonly string[],
  cwd: string,
  input?: readonly string[],
): Promise<CommandResult> {
  const env = { ...process.env, LC_ALL: 'C' };
  const source =
    input === undefined
      ? undefined
      : spawn(input[0] ?? '', input.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
  const child = spawn(command[0] ?? '', command.slice(1), { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const failure = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    source?.once('error', (error) => {
      child.kill();
      resolve(error.message);
    });
    child.once('close', (status) => resolve(status === 0 ? '' : `${command[0]} ended with status ${status}`));
  });
  child.stdin.on('error', () => {}); // It may end before it has read everything.
  if (source === undefined) child.stdin.end();
  else source.stdout?.pipe(child.stdin);
  const [stdout, stderr, reason] = await Promise.all([buffer(child.stdout), text(child.stderr), failure]);
  return { ok: reason === '', stdout, message: reason === '' ? stderr : stderr.trim() || reason };
}
