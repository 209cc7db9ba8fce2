/** The console of a virtual machine on this process's terminal or streams. */
import { createConnection, type Socket } from 'node:net';
import { RawTerminal } from '../terminal.ts';

export type ConsoleEnd =
  | { readonly kind: 'left' }
  /** The virtual machine closed it. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'output-closed' }
  | { readonly kind: 'unreachable'; readonly message: string };

export interface ConsoleEvents {
  /** It is connected. */
  attached(): void;
  /** The terminal has this size; called at first, too. */
  resized(rows: number, columns: number): void;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** @param path the console's socket */
export async function attachConsole(path: string, events: ConsoleEvents): Promise<ConsoleEnd> {
  const socket = createConnection(path);
  const connected = await new Promise<ConsoleEnd | undefined>((resolve) => {
    socket.once('connect', () => resolve(undefined));
    socket.once('error', ({ message }) => resolve({ kind: 'unreachable', message }));
  });
  if (connected !== undefined) return connected;
  events.attached();
  const ended = Promise.withResolvers<ConsoleEnd>();
  const onSignal = (signal: NodeJS.Signals): void => ended.resolve({ kind: 'signal', signal });
  for (const signal of signals) process.on(signal, onSignal);
  socket.on('error', () => socket.destroy());
  socket.once('close', () => ended.resolve({ kind: 'closed' }));
  const release = connectStreams(socket, events, ended.resolve);
  const end = await ended.promise;
  release();
  for (const signal of signals) process.off(signal, onSignal);
  socket.destroy();
  return end;
}

/** @returns what gives the terminal back */
function connectStreams(socket: Socket, events: ConsoleEvents, finish: (end: ConsoleEnd) => void): () => void {
  const { stdin, stdout } = process;
  socket.on('data', (bytes: Buffer) => {
    if (stdout.write(bytes)) return;
    socket.pause();
    stdout.once('drain', () => socket.resume());
  });
  stdout.once('error', () => finish({ kind: 'output-closed' }));
  const resized = (): void => events.resized(stdout.rows, stdout.columns);
  if (stdout.isTTY && stdin.isTTY) {
    resized();
    stdout.on('resize', resized);
  }
  if (stdin.isTTY) {
    const terminal = new RawTerminal(stdin, {
      input: (bytes) => void socket.write(bytes),
      leave: () => finish({ kind: 'left' }),
    });
    return () => {
      stdout.off('resize', resized);
      terminal.restore();
    };
  }
  const send = (bytes: Buffer): void => {
    if (socket.write(bytes)) return;
    stdin.pause();
    socket.once('drain', () => stdin.resume());
  };
  stdin.on('data', send);
  stdin.on('error', () => {});
  return () => {
    stdin.off('data', send);
    stdin.pause();
  };
}
