/** Answers control requests on a socket; see protocol.ts. What a client sends cannot harm more than its connection. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Result } from '../../../support/result.ts';
import { listenOn } from '../vms/listen.ts';
import { LineSplitter } from './line-splitter.ts';
import {
  type ControlCommand,
  type ControlCommands,
  type ControlErrorKind,
  type ControlRequest,
  encodeError,
  encodeResult,
  maxLineBytes,
  parseRequest,
} from './protocol.ts';

export type ControlAnswer = Result<
  ControlCommands[ControlCommand]['gives'],
  { readonly kind: ControlErrorKind; readonly message: string }
>;

const maxConnections = 64;
/** A connection on which nothing happens is in the way of others. */
const idleMs = 30_000;

export class ControlServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param handle meets a request; it never throws */
  constructor(handle: (request: ControlRequest) => Promise<ControlAnswer>) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      serve(socket, handle);
    });
    this.#server.maxConnections = maxConnections;
  }

  listen(path: string): Promise<Result<void>> {
    return listenOn(this.#server, path);
  }

  /** Resolves when nobody is connected any more; answers that were written reach those who read. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.end(() => socket.destroy());
    // A client that does not read would keep its end open.
    const giveUp = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, 500);
    await closed;
    clearTimeout(giveUp);
  }
}

function serve(socket: Socket, handle: (request: ControlRequest) => Promise<ControlAnswer>): void {
  const splitter = new LineSplitter(maxLineBytes);
  const answerAll = async (lines: readonly string[]): Promise<void> => {
    // One at a time, and no more is read meanwhile: a client has to take its answers before it can ask on.
    for (const line of lines) {
      const reply = await answer(line, handle);
      if (!socket.writable) return;
      if (!socket.write(reply)) await drained(socket);
    }
  };
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    const lines = splitter.push(bytes);
    if (lines === undefined) {
      socket.pause();
      socket.end(encodeError(null, 'too-long', `A line has at most ${maxLineBytes} bytes.`), () => socket.destroy());
      return;
    }
    socket.pause();
    void answerAll(lines).then(() => socket.resume());
  });
}

async function answer(line: string, handle: (request: ControlRequest) => Promise<ControlAnswer>): Promise<string> {
  const parsed = parseRequest(line);
  if (!parsed.ok) return encodeError(parsed.error.id, parsed.error.kind, parsed.error.message);
  const { id, request } = parsed.value;
  const answered = await handle(request);
  return answered.ok ? encodeResult(id, answered.value) : encodeError(id, answered.error.kind, answered.error.message);
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}
