/**
 * The console of a virtual machine for any number of viewers: what it shows goes to the log and to each viewer, what
 * a viewer types to the guest. The socket carries the console's bytes and nothing else.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Result } from '../../../support/result.ts';
import type { Output } from '../output.ts';
import type { ConsoleLog } from './console-log.ts';
import { ConsoleViewer } from './console-viewer.ts';
import { listenOn } from './listen.ts';
import { Scrollback } from './scrollback.ts';

const maxViewers = 32;
const scrollbackBytes = 16 << 10;
/** How long viewers have to read the last words. */
const closeGraceMs = 1000;

export class ConsoleHub implements Output {
  readonly #log: ConsoleLog;
  readonly #scrollback = new Scrollback(scrollbackBytes);
  readonly #viewers = new Map<Socket, ConsoleViewer>();
  readonly #server: Server;

  constructor(log: ConsoleLog, type: (bytes: Uint8Array) => Promise<void>) {
    this.#log = log;
    this.#server = createServer((socket) => this.#add(socket, type));
    this.#server.maxConnections = maxViewers;
  }

  listen(path: string): Promise<Result<void>> {
    return listenOn(this.#server, path);
  }

  /** Resolves at once: the guest waits for nobody. */
  write(bytes: Uint8Array): Promise<void> {
    this.#log.write(bytes);
    this.#scrollback.push(bytes);
    for (const viewer of this.#viewers.values()) viewer.show(bytes);
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  release(): void {}

  /** The console's end; resolves when the viewers have read all, or have had the time to. */
  async close(): Promise<void> {
    this.#log.close();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#viewers.keys()) {
      socket.end();
      socket.resume();
    }
    const giveUp = setTimeout(() => {
      for (const socket of this.#viewers.keys()) socket.destroy();
    }, closeGraceMs);
    await closed;
    clearTimeout(giveUp);
  }

  #add(socket: Socket, type: (bytes: Uint8Array) => Promise<void>): void {
    const viewer = new ConsoleViewer(socket, type);
    this.#viewers.set(socket, viewer);
    socket.once('close', () => this.#viewers.delete(socket));
    viewer.show(this.#scrollback.text());
  }
}
