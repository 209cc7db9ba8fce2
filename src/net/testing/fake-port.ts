/** One end of a cable whose other end a test holds. */
import type { Frame, FrameSink, NetPort, Offload } from '../port.ts';

export class FakePort implements NetPort {
  readonly sent: Uint8Array[] = [];
  hasRoom = true;
  resumed = 0;
  closed = false;
  #receiver: FrameSink | undefined;

  connect(receiver: FrameSink): void {
    this.#receiver = receiver;
  }

  send(frame: Frame, _offload?: Offload): boolean {
    if (this.hasRoom) this.sent.push(frame.slice());
    return this.hasRoom;
  }

  resume(): void {
    this.resumed++;
  }

  close(): void {
    this.closed = true;
  }

  /** A frame comes out of the port. */
  deliver(frame: Frame, offload?: Offload): boolean {
    return this.#receiver?.send(frame, offload) ?? true;
  }

  /** The port, which had refused a frame, has room again. */
  tellRoom(): void {
    this.#receiver?.resume();
  }
}
