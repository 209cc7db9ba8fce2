/**
 * A switch that several machines share through a UNIX socket. Each has a switch of its own; the one that is first at
 * the socket is in the middle, the others have a cable to it. When it ends, they meet again.
 */
import type { Socket } from 'node:net';
import type { NetPort } from '../../../net/port.ts';
import { type PortMode, Switch } from '../../../net/switch/switch.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { FrameSocket } from './frame-socket.ts';
import { type Meeting, meet } from './meeting-point.ts';

/** How long to wait before meeting again; each waits a little differently. */
const retryMs = 100;

export class SharedSwitch {
  readonly #path: string;
  readonly #switch = new Switch(() => performance.now());
  readonly #peers = new Set<FrameSocket>();
  readonly #inTheMiddle: (switchInTheMiddle: Switch) => (() => void) | undefined;
  #meeting: Meeting | undefined;
  #leaveMiddle: (() => void) | undefined;
  #closed = false;

  private constructor(path: string, inTheMiddle: (middle: Switch) => (() => void) | undefined) {
    this.#path = path;
    this.#inTheMiddle = inTheMiddle;
  }

  /** @param inTheMiddle called when this switch is the one in the middle; what it returns, when it no longer is */
  static async open(
    path: string,
    inTheMiddle: (middle: Switch) => (() => void) | undefined,
  ): Promise<Result<SharedSwitch>> {
    const shared = new SharedSwitch(path, inTheMiddle);
    const met = await shared.#meet();
    return met.ok ? ok(shared) : met;
  }

  get role(): Meeting['role'] | undefined {
    return this.#meeting?.role;
  }

  addPort(mode: PortMode): Result<NetPort> {
    const port = this.#switch.addPort(mode);
    return port === undefined ? fail('unavailable', 'the switch has no port left.') : ok(port);
  }

  close(): void {
    this.#closed = true;
    for (const peer of this.#peers) peer.close();
    this.#leaveMiddle?.();
    if (this.#meeting?.role === 'first') this.#meeting.leave();
  }

  async #meet(): Promise<Result<void>> {
    const met = await meet(this.#path, (socket) => this.#addPeer(socket, () => {}));
    if (!met.ok) return met;
    this.#meeting = met.value;
    if (this.#closed) {
      if (met.value.role === 'first') met.value.leave();
      else met.value.socket.destroy();
    } else if (met.value.role === 'first') this.#leaveMiddle = this.#inTheMiddle(this.#switch);
    else this.#addPeer(met.value.socket, () => this.#meetAgain());
    return ok(undefined);
  }

  #meetAgain(): void {
    if (this.#closed) return;
    this.#meeting = undefined;
    const timer = setTimeout(
      () => {
        if (this.#closed) return;
        void this.#meet().then((met) => {
          if (!met.ok) this.#meetAgain();
        });
      },
      retryMs * (1 + Math.random()),
    );
    timer.unref();
  }

  #addPeer(socket: Socket, lost: () => void): void {
    // A machine ends when it ends, whatever cables it has.
    socket.unref();
    const port = this.#switch.addPort({ kind: 'trunk' });
    if (port === undefined) {
      socket.destroy();
      return;
    }
    const peer = new FrameSocket(socket, () => {
      this.#peers.delete(peer);
      port.close();
      lost();
    });
    this.#peers.add(peer);
    peer.connect(port);
    port.connect(peer);
  }
}
