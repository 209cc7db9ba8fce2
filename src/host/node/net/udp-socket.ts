/** A UDP socket of Node as the NAT wants it. */
import { createSocket, type Socket } from 'node:dgram';
import type { HostUdp, UdpEvents } from '../../../net/nat/host-network.ts';
import { fail, ok, type Result } from '../../../support/result.ts';

/** Bytes that may wait in one socket; what comes beyond is dropped. */
const maxQueuedBytes = 1 << 20;

export class UdpSocket implements HostUdp {
  readonly #socket: Socket;
  #closed = false;

  constructor(events: UdpEvents) {
    // Addresses are numbers, so nobody has to be asked; without this Node asks all the same, later.
    const lookup = (name: string, _options: unknown, answer: (error: null, address: string, family: number) => void) =>
      answer(null, name, 4);
    this.#socket = createSocket({ type: 'udp4', lookup: lookup as never });
    this.#socket.on('message', (bytes, peer) => {
      if (!this.#closed) events.received(bytes, peer);
    });
    this.#socket.on('error', () => {
      if (this.#closed) return;
      this.close();
      events.failed();
    });
    this.#socket.unref();
  }

  static bind(address: string, port: number, events: UdpEvents): Promise<Result<HostUdp>> {
    const socket = new UdpSocket(events);
    return new Promise((resolve) => {
      socket.#socket.once('error', (error: NodeJS.ErrnoException) =>
        resolve(fail('unavailable', `UDP port ${address}:${port} cannot be opened (${error.code ?? error.message}).`)),
      );
      socket.#socket.bind(port, address, () => resolve(ok(socket)));
    });
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    if (this.#closed || this.#socket.getSendQueueSize() > maxQueuedBytes) return;
    // An error of one datagram (no route, say) is as good as its loss.
    this.#socket.send(bytes.slice(), port, address, () => {});
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}
