/** A named port of the guest's virtio console as a Unix socket of this host: one client at a time, bytes both ways. */
import { createServer, type Server, type Socket } from 'node:net';
import { fail, ok, type Result } from '../../support/result.ts';

export interface PortSpec {
  /** What the guest finds the port by. */
  readonly name: string;
  /** Path of the socket. */
  readonly path: string;
}

/** The guest's end. */
export interface GuestPort {
  send(bytes: Uint8Array): Promise<boolean>;
  setHostOpen(open: boolean): void;
}

export class PortSocket {
  readonly name: string;
  readonly #server: Server;
  #client: Socket | undefined;
  #guest: GuestPort | undefined;

  constructor(name: string, server: Server) {
    this.name = name;
    this.#server = server;
    server.on('connection', (socket) => this.#connected(socket));
  }

  /** Connects the port of a run's guest; a client that waits already goes on. */
  attach(guest: GuestPort): void {
    this.#guest = guest;
    guest.setHostOpen(this.#client !== undefined);
    this.#client?.resume();
  }

  /** Takes what the guest sends; lost where there is no client. */
  receive(bytes: Uint8Array): Promise<void> {
    const client = this.#client;
    if (client === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      client.once('close', resolve);
      client.write(bytes, () => {
        client.off('close', resolve);
        resolve();
      });
    });
  }

  close(): void {
    this.#client?.destroy();
    this.#server.close();
  }

  #connected(socket: Socket): void {
    if (this.#client !== undefined) {
      socket.destroy();
      return;
    }
    this.#client = socket;
    socket.pause();
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#client = undefined;
      this.#guest?.setHostOpen(false);
    });
    socket.on('data', (bytes: Buffer) => {
      socket.pause();
      void this.#guest?.send(bytes).then(() => socket.resume());
    });
    this.#guest?.setHostOpen(true);
    if (this.#guest !== undefined) socket.resume();
  }
}

/** Listens for clients: at all paths, or none. Errors: kind `input`, a path where no socket can be. */
export async function openPortSockets(specs: readonly PortSpec[]): Promise<Result<PortSocket[]>> {
  const opened = await Promise.all(specs.map(openPortSocket));
  const failed = opened.find((result) => !result.ok);
  const sockets = opened.flatMap((result) => (result.ok ? [result.value] : []));
  if (failed === undefined || failed.ok) return ok(sockets);
  for (const socket of sockets) socket.close();
  return failed;
}

function openPortSocket({ name, path }: PortSpec): Promise<Result<PortSocket>> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(fail('input', `there can be no socket at ${path}: ${error.message}.`)));
    server.listen(path, () => resolve(ok(new PortSocket(name, server))));
  });
}
