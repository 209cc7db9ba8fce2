/** A TCP socket of Node as the NAT wants it. */
import { connect, type Socket } from 'node:net';
import { type HostStream, maxReadBytes, type StreamEvents } from '../../../net/nat/host-network.ts';

/** Hosts take minutes to find out that nobody answers; guests have given up by then. */
const connectTimeoutMs = 60_000;

export class TcpStream implements HostStream {
  readonly #socket: Socket;
  readonly #events: StreamEvents;
  #connected: boolean;
  #ended = false;
  /** After `reset` and `lost` nothing is told any more. */
  #over = false;

  private constructor(socket: Socket, events: StreamEvents, connected: boolean) {
    this.#socket = socket;
    this.#events = events;
    this.#connected = connected;
    socket.setNoDelay(true);
    socket.on('end', () => {
      if (!this.#over) events.ended();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#lost(error.code));
    socket.on('close', () => this.#lost(undefined));
  }

  /** @param readBuffer where reads go; its content is used up when a read has been told of */
  static connect(address: string, port: number, events: StreamEvents, readBuffer: Uint8Array): TcpStream {
    const callback = (count: number): boolean => stream.#data(readBuffer.subarray(0, count));
    const onread = { buffer: readBuffer, callback };
    const socket = connect({ host: address, port, allowHalfOpen: true, onread });
    const stream: TcpStream = new TcpStream(socket, events, false);
    const timer = setTimeout(() => stream.#lost('ETIMEDOUT'), connectTimeoutMs);
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => {
      clearTimeout(timer);
      if (stream.#over) return;
      stream.#connected = true;
      events.connected();
    });
    return stream;
  }

  /** Takes a socket that a server accepted. @param eventsFor is told the stream; without events it is refused */
  static accept(socket: Socket, eventsFor: (stream: HostStream) => StreamEvents | undefined): void {
    let stream: TcpStream | undefined;
    // Calls before the constructor has run cannot be: nothing is written before the guest has answered.
    const early: HostStream = {
      write: (bytes, done) => stream?.write(bytes, done),
      end: () => stream?.end(),
      resume: () => stream?.resume(),
      reset: () => (stream === undefined ? socket.destroy() : stream.reset()),
    };
    const events = eventsFor(early);
    if (events === undefined) {
      socket.on('error', () => {});
      socket.resetAndDestroy();
      return;
    }
    stream = new TcpStream(socket, events, true);
    const accepted = stream;
    socket.on('data', (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; at += maxReadBytes) {
        if (!accepted.#data(bytes.subarray(at, at + maxReadBytes))) socket.pause();
      }
    });
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.#socket.write(bytes, (error) => {
      if (error === undefined || error === null) done();
    });
  }

  end(): void {
    this.#ended = true;
    this.#socket.end();
  }

  resume(): void {
    this.#socket.resume();
  }

  reset(): void {
    if (this.#over) return;
    this.#over = true;
    // A socket that is being shut down refuses to be reset, and Node would never close it.
    if (this.#connected && !this.#ended) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #data(bytes: Uint8Array): boolean {
    return this.#over ? false : this.#events.data(bytes);
  }

  #lost(code: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.destroy();
    if (this.#connected) this.#events.lost();
    else this.#events.failed(code === 'ECONNREFUSED' ? 'refused' : 'unreachable');
  }
}
