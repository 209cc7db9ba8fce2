/** The command line as a process of its own, with the fake machine in place of the real one. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('./corbel-with-fake-machine.ts', import.meta.url));

export const corbelCommand: readonly string[] = [process.execPath, '--disable-warning=ExperimentalWarning', entry];

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Running {
  readonly child: ReturnType<typeof spawn>;
  readonly ended: Promise<Ended>;
}

/** @param input standard input; `open` leaves it open and empty */
export function startCorbel(args: readonly string[], input: Uint8Array | 'open' = new Uint8Array(0)): Running {
  return startProgram([...corbelCommand, ...args], input);
}

export function startProgram(command: readonly string[], input: Uint8Array | 'open'): Running {
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {}); // The program need not read all of it.
  if (input !== 'open') child.stdin.end(input);
  const exit = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('close', (status, signal) => resolve([status, signal]));
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => errors.push(bytes));
  const ended = exit.then(
    ([status, signal]): Ended => ({
      status,
      signal,
      stdout: Buffer.concat(output),
      stderr: Buffer.concat(errors).toString(),
    }),
  );
  return { child, ended };
}

export function corbel(args: readonly string[], input: Uint8Array = new Uint8Array(0)): Promise<Ended> {
  return startCorbel(args, input).ended;
}
