/**
 * The host's programs behind a vsock device, as Firecracker has it. Who connects to the UNIX socket PATH and writes
 * `CONNECT port` reaches that port of the guest; programs in the guest that connect to a port of the host reach the
 * UNIX socket PATH_port.
 */
import { lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { VirtioVsock, VsockCall, VsockHost } from '../../../devices/virtio/vsock.ts';
import type { VsockPeer, VsockStream } from '../../../devices/virtio/vsock-connection.ts';
import { fail, ok, type Result } from '../../../support/result.ts';

export interface VsockSpec {
  readonly path: string;
  readonly guestCid: number;
}

const longestRequestBytes = 32;
/** For a client's first line, and for the guest's answer to it. */
const patienceMs = 10_000;
const mostClients = 256;

export class VsockSockets implements VsockHost {
  readonly guestCid: number;
  /** The socket that leads to the guest. */
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The device of the guest that runs now. */
  #device: VirtioVsock | undefined;

  constructor({ path, guestCid }: VsockSpec) {
    this.guestCid = guestCid;
    this.path = path;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#request(socket));
    this.#server.maxConnections = mostClients;
  }

  /** Errors: kind `input`, a path that cannot be listened on, or that another process listens on. */
  async listen(): Promise<Result<void>> {
    const listening = await this.#tryListen();
    if (listening.ok || !isSocket(this.path) || (await answers(this.path))) return listening;
    // Nobody is behind it any more: its process did not get to remove it.
    rmSync(this.path, { force: true });
    return this.#tryListen();
  }

  attach(device: VirtioVsock): void {
    this.#device = device;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  called(port: number, call: VsockCall): void {
    const socket = connect({ path: `${this.path}_${port}`, allowHalfOpen: true });
    this.#keep(socket);
    socket.once('error', () => call.refuse());
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      const bridge = new SocketPeer(socket);
      bridge.attach(call.accept(bridge));
    });
  }

  #tryListen(): Promise<Result<void>> {
    return new Promise((resolve) => {
      const failed = (error: Error): void =>
        resolve(fail('input', `the vsock socket ${this.path} cannot be made (${error.message}).`));
      this.#server.once('error', failed);
      this.#server.listen(this.path, () => {
        this.#server.off('error', failed);
        resolve(ok(undefined));
      });
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Reads a client's first line, byte for byte no further: what follows is for the guest. */
  #request(socket: Socket): void {
    this.#keep(socket);
    let line = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), patienceMs);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => clearTimeout(timer));
    const read = (bytes: Buffer): void => {
      line = Buffer.concat([line, bytes]);
      const end = line.indexOf('\n');
      if (end < 0 && line.length <= longestRequestBytes) return;
      const port = Number(/^CONNECT ([0-9]{1,10})\r?$/.exec(line.toString('latin1', 0, Math.max(0, end)))?.[1]);
      socket.off('data', read);
      socket.pause();
      if (!(port <= 0xffff_ffff)) {
        socket.destroy();
        return;
      }
      if (line.length > end + 1) socket.unshift(line.subarray(end + 1));
      const bridge = new SocketPeer(socket, () => clearTimeout(timer));
      const stream = this.#device?.connect(port, bridge);
      if (stream === undefined) socket.destroy();
      else bridge.attach(stream);
    };
    socket.on('data', read);
  }
}

/** A socket of this host as one end of a connection. */
class SocketPeer implements VsockPeer {
  readonly #socket: Socket;
  readonly #onOpened: () => void;
  #stream: VsockStream | undefined;
  #over = false;

  constructor(socket: Socket, onOpened: () => void = () => {}) {
    this.#socket = socket;
    this.#onOpened = onOpened;
  }

  attach(stream: VsockStream): void {
    this.#stream = stream;
    const socket = this.#socket;
    socket.on('data', (bytes: Buffer) => {
      if (!stream.send(bytes)) socket.pause();
    });
    socket.on('end', () => stream.end());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (!this.#over) stream.reset();
    });
  }

  opened(): void {
    this.#onOpened();
    this.#socket.write(`OK ${this.#stream?.hostPort}\n`);
    this.#socket.resume();
  }

  receive(bytes: Uint8Array, taken: () => void): void {
    if (this.#socket.writable) this.#socket.write(bytes, taken);
    else taken();
  }

  ended(): void {
    this.#socket.end();
  }

  drained(): void {
    this.#socket.resume();
  }

  closed(reset: boolean): void {
    this.#over = true;
    if (reset) this.#socket.destroy();
    else this.#socket.destroySoon();
  }
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
