/** A connected stream socket whose other end is a port of somebody else's network: another Corbel or a QEMU. */
import type { Socket } from 'node:net';
import { FinishedFrames } from '../../../net/frame/finished-frames.ts';
import { encodeFrame, FrameDecoder } from '../../../net/frame-stream.ts';
import type { Frame, FrameSink, NetPort, Offload } from '../../../net/port.ts';
import { frameStream } from '../../../spec/net/stream.ts';

/** Frames that leave together are written together. */
const batchBytes = 1 << 16;
/** What may wait in the socket; frames beyond it are refused. */
const maxQueuedBytes = 1 << 20;

export class FrameSocket implements NetPort {
  readonly #socket: Socket;
  readonly #finished: FinishedFrames;
  #receiver: FrameSink | undefined;
  #batch = Buffer.allocUnsafeSlow(batchBytes);
  #batchEnd = 0;
  #refused = false;

  /** @param lost called once, when the other end is gone or does not speak frames */
  constructor(socket: Socket, lost: () => void) {
    this.#socket = socket;
    this.#finished = new FinishedFrames({ send: (frame) => this.#enqueue(frame), resume: () => {} });
    const decoder = new FrameDecoder((frame) => this.#receiver?.send(frame));
    socket.on('data', (bytes) => {
      if (!socket.destroyed && !decoder.take(bytes as Uint8Array)) socket.destroy();
    });
    socket.on('drain', () => this.#drained());
    socket.on('error', () => {});
    socket.once('end', () => socket.destroy());
    socket.once('close', lost);
  }

  connect(receiver: FrameSink): void {
    this.#receiver = receiver;
  }

  send(frame: Frame, offload?: Offload): boolean {
    if (this.#socket.destroyed) return true;
    if (this.#socket.writableLength + this.#batchEnd > maxQueuedBytes) {
      this.#refused = true;
      return false;
    }
    return this.#finished.send(frame, offload);
  }

  resume(): void {}

  close(): void {
    this.#flush();
    this.#socket.end();
    this.#socket.destroySoon();
  }

  #enqueue(frame: Frame): boolean {
    const needed = frameStream.lengthBytes + frame.length;
    if (this.#batchEnd + needed > this.#batch.length) this.#flush();
    if (needed > this.#batch.length) this.#batch = Buffer.allocUnsafeSlow(needed);
    if (this.#batchEnd === 0) queueMicrotask(() => this.#flush());
    this.#batchEnd = encodeFrame(frame, this.#batch, this.#batchEnd);
    return true;
  }

  #flush(): void {
    if (this.#batchEnd === 0 || this.#socket.destroyed) return;
    this.#socket.write(this.#batch.subarray(0, this.#batchEnd));
    this.#batch = Buffer.allocUnsafeSlow(batchBytes);
    this.#batchEnd = 0;
  }

  #drained(): void {
    if (!this.#refused) return;
    this.#refused = false;
    this.#receiver?.resume();
  }
}
