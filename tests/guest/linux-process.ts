/** The real command line, on the real machine, with the linux guest. */
import { fileURLToPath } from 'node:url';
import { type Running, startProgram } from '../../src/cli/testing/corbel-process.ts';

const entry = fileURLToPath(new URL('../../src/cli/corbel.ts', import.meta.url));
const timeoutSeconds = 150;

const command: readonly string[] = [
  ...[process.execPath, '--disable-warning=ExperimentalWarning', entry],
  ...['run', '--timeout', String(timeoutSeconds)],
];

export function startLinux(args: readonly string[], input: Uint8Array | 'open' = new Uint8Array(0)): Running {
  return startProgram([...command, ...args], input);
}

export interface TerminalSession {
  /** Types `keys`; resolves when the screen then shows `answer`. */
  type(keys: string, answer: RegExp): Promise<void>;
  /** The exit status, when it has ended. */
  readonly status: Promise<number | null>;
}

/** Runs it on a terminal, which script(1) provides. */
export function startLinuxOnTerminal(args: readonly string[]): TerminalSession {
  const quoted = [...command, ...args].map((word) => `'${word}'`).join(' ');
  const { child, ended } = startProgram(
    ['script', '-qec', `stty rows 40 cols 100; exec ${quoted}`, '/dev/null'],
    'open',
  );
  let screen = '';
  let over = false;
  child.stdout?.on('data', (bytes: Buffer) => {
    screen += bytes.toString('latin1');
  });
  void ended.then(() => {
    over = true;
  });
  return {
    type: async (keys, answer) => {
      const from = screen.length;
      child.stdin?.write(keys);
      while (!answer.test(screen.slice(from))) {
        if (over) throw new Error(`it ended before the screen showed ${answer}: ${screen.slice(-1000)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    status: ended.then(({ status }) => status),
  };
}
