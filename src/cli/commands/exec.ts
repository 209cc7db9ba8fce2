import { constants } from 'node:os';
import type { AgentRequest, ProgramEnd } from '../../host/node/agent/agent-request.ts';
import { execInGuest, type GuestCommand } from '../../host/node/agent/guest-command.ts';
import { KeyQueue } from '../../host/node/key-queue.ts';
import { streamOutput } from '../../host/node/output.ts';
import { PulledInput } from '../../host/node/standard-input.ts';
import { RawTerminal } from '../../host/node/terminal.ts';
import { type Failure, fail, ok, type Result } from '../../support/result.ts';
import { exitStatus } from '../exit-status.ts';
import { connectToAgent } from '../guest-connection.ts';
import { say } from '../messages.ts';
import { describeOptions, type OptionRow, parseOptions } from '../options.ts';

const rows: readonly OptionRow[] = [
  { name: 'user', value: 'USER', help: 'who runs it: a name or a number (default root)' },
  { name: 'directory', value: 'DIR', help: "where it starts (default: the user's home)" },
  { name: 'env', value: 'NAME=VALUE', help: 'add to its environment; may be given several times' },
  {
    name: 'terminal',
    value: 'WHEN',
    help: 'give it a terminal: auto (if there is one here),\nalways or never (default auto)',
  },
  { name: 'help', help: 'print this' },
];

const help = `Usage: corbel exec [options] NAME [--] [COMMAND [ARGUMENT...]]

Runs a command in the guest of the virtual machine NAME, whose image has
Corbel's agent. Input, output, errors and exit status are those of the command.
Without a command it is the user's login shell. On a terminal Ctrl-] leaves.

${describeOptions(rows)}

Exit status: that of the command; 128 and the signal's number if one ended it;
126 if it cannot be run, 127 if it is not found; 64 if the command line is
wrong; 65 if the virtual machine or its agent cannot be reached.
`;

/** What ends it besides the program in the guest. */
type Interruption =
  | { readonly kind: 'left' }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'output-closed'; readonly error: Error };

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export async function execCommand(args: readonly string[]): Promise<number> {
  const options = parseOptions(rows, args, 'corbel exec', 1);
  if (!options.ok) return refuse(options.error);
  if (options.value.values.has('help')) {
    process.stdout.write(help);
    return exitStatus.ok;
  }
  const [name, ...argv] = options.value.operands;
  if (name === undefined) return refuse({ kind: 'usage', message: 'corbel exec needs the name of a virtual machine.' });
  const command = commandOf(options.value.values, argv);
  if (!command.ok) return refuse(command.error);
  const stream = await connectToAgent(name);
  if (!stream.ok) return refuse(stream.error);
  return new Execution().run(stream.value, command.value);
}

function commandOf(values: ReadonlyMap<string, readonly string[]>, argv: readonly string[]): Result<GuestCommand> {
  const when = values.get('terminal')?.at(-1) ?? 'auto';
  if (!['auto', 'always', 'never'].includes(when)) {
    return fail('usage', `--terminal takes auto, always or never, not "${when}".`);
  }
  const environment: Record<string, string> = {};
  for (const text of values.get('env') ?? []) {
    const [, variable, value] = /^([^=\0]+)=([^\0]*)$/s.exec(text) ?? [];
    if (variable === undefined || value === undefined) return fail('usage', `--env takes NAME=VALUE, not "${text}".`);
    environment[variable] = value;
  }
  const hasTerminal = process.stdin.isTTY && process.stdout.isTTY;
  const { rows: height = 24, columns: width = 80 } = process.stdout;
  const terminal = when === 'always' || (when === 'auto' && hasTerminal) ? { rows: height, columns: width } : undefined;
  if (terminal !== undefined) environment.TERM ??= process.env.TERM ?? 'vt100';
  const user = values.get('user')?.at(-1);
  const directory = values.get('directory')?.at(-1);
  return ok({ argv, environment, user, directory, terminal });
}

class Execution {
  readonly #interrupted = Promise.withResolvers<Interruption>();

  async run(stream: Parameters<typeof execInGuest>[0], command: GuestCommand): Promise<number> {
    const onClosed = (error: Error): void => this.#interrupted.resolve({ kind: 'output-closed', error });
    const stdout = streamOutput(process.stdout, onClosed);
    const stderr = streamOutput(process.stderr, onClosed);
    const keys = new KeyQueue();
    const onTerminal = command.terminal !== undefined && process.stdin.isTTY;
    const input = new PulledInput(() => process.stdin);
    const request = execInGuest(stream, command, {
      readInput: (maxBytes) => (onTerminal ? keys.read(maxBytes) : input.read(maxBytes)),
      output: (bytes) => stdout.write(bytes),
      errors: (bytes) => stderr.write(bytes),
    });
    const release = onTerminal ? this.#holdTerminal(request, keys) : this.#passSignals(request);
    const interrupted = this.#interrupted.promise;
    const end = await Promise.race([request.ended, interrupted.then((interruption) => ({ interruption }))]);
    release();
    request.abandon();
    if ('interruption' in end) return concludeInterruption(end.interruption);
    return end.ok ? concludeEnd(end.value) : refuse(end.error);
  }

  #holdTerminal(request: AgentRequest, keys: KeyQueue): () => void {
    const terminal = new RawTerminal(process.stdin, {
      input: (bytes) => keys.push(bytes),
      leave: () => this.#interrupted.resolve({ kind: 'left' }),
    });
    const resized = (): void => request.resize(process.stdout.rows, process.stdout.columns);
    process.stdout.on('resize', resized);
    const onSignal = (signal: NodeJS.Signals): void => this.#interrupted.resolve({ kind: 'signal', signal });
    for (const signal of signals) process.on(signal, onSignal);
    return () => {
      terminal.restore();
      process.stdout.off('resize', resized);
      for (const signal of signals) process.off(signal, onSignal);
    };
  }

  /** A signal goes to the command; the same one again ends this process. */
  #passSignals(request: AgentRequest): () => void {
    const seen = new Set<NodeJS.Signals>();
    const onSignal = (signal: NodeJS.Signals): void => {
      if (seen.has(signal)) this.#interrupted.resolve({ kind: 'signal', signal });
      seen.add(signal);
      request.signal(signal.replace(/^SIG/, ''));
    };
    for (const signal of signals) process.on(signal, onSignal);
    return () => {
      for (const signal of signals) process.off(signal, onSignal);
    };
  }
}

function concludeEnd(end: ProgramEnd): number {
  return end.kind === 'exit' ? end.status : exitStatus.signalBase + end.signal;
}

function concludeInterruption(interruption: Interruption): number {
  switch (interruption.kind) {
    case 'left':
      return exitStatus.ok;
    case 'signal':
      return exitStatus.signalBase + constants.signals[interruption.signal];
    case 'output-closed':
      if ((interruption.error as NodeJS.ErrnoException).code === 'EPIPE') {
        return exitStatus.signalBase + constants.signals.SIGPIPE;
      }
      say(`the output could not be written (${interruption.error.message}).`);
      return exitStatus.badInput;
  }
}

function refuse(failure: Failure): number {
  say(failure.message);
  if (failure.kind === 'usage') return exitStatus.usage;
  if (failure.kind === 'not-found') return exitStatus.commandNotFound;
  return failure.kind === 'not-executable' ? exitStatus.commandNotExecutable : exitStatus.badInput;
}
