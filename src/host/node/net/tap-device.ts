/** A TAP device of Linux as one end of a cable; the other end is an interface of the host. */
import { closeSync, writevSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { readVirtioHeader, writeVirtioHeader } from '../../../net/frame/virtio-header.ts';
import type { Frame, FrameSink, NetPort, Offload } from '../../../net/port.ts';
import { interfaceRequest } from '../../../spec/net/tun.ts';
import { virtioNetHeader } from '../../../spec/virtio/net.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { batchHeaderBytes, type TapReport, type TapWorkerData, tapWord } from './tap-batch.ts';

const headerBytes = virtioNetHeader.legacyBytes;

/** After the kernel has refused a frame (the interface is down), how long nothing is tried. */
const refusedMs = 50;

export class TapDevice implements NetPort {
  readonly #descriptor: number;
  readonly #worker: Worker;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #header = new Uint8Array(headerBytes);
  readonly #slot = { checksumStart: 0, checksumOffset: 0, segmentBytes: 0 };
  #receiver: FrameSink | undefined;
  #refusedUntilMs = 0;
  #closed = false;

  private constructor(descriptor: number, worker: Worker, words: Int32Array<SharedArrayBuffer>) {
    this.#descriptor = descriptor;
    this.#worker = worker;
    this.#words = words;
    worker.on('message', (report: TapReport) => {
      if (report.kind === 'frames') this.#receive(report.bytes);
      if (report.kind === 'ended') this.#ended();
    });
  }

  /** Attaches to the interface `name`, or makes it. */
  static open(name: string): Promise<Result<TapDevice>> {
    if (process.platform !== 'linux') {
      return Promise.resolve(fail('unavailable', 'tap=NAME needs a Linux host; --net user works everywhere.'));
    }
    if (!/^[^\s/%:]+$/.test(name) || Buffer.byteLength(name) >= interfaceRequest.nameBytes) {
      return Promise.resolve(fail('usage', `"${name}" cannot be the name of a network interface.`));
    }
    const words = new Int32Array(new SharedArrayBuffer(tapWord.count * 4));
    const workerData: TapWorkerData = { name, words };
    // Calling the system's own functions is experimental in Node, and says so; whoever starts a machine need not know.
    const execArgv = ['--disable-warning=ExperimentalWarning'];
    const worker = new Worker(workerFile(), { workerData, execArgv });
    worker.unref();
    return new Promise((resolve) => {
      worker.once('error', (error) =>
        resolve(fail('unavailable', `the TAP device cannot be used (${String(error)}).`)),
      );
      worker.once('message', (report: TapReport) => {
        if (report.kind === 'opened') resolve(ok(new TapDevice(report.descriptor, worker, words)));
        else if (report.kind === 'refused') resolve(fail('unavailable', refusal(name, report.at, report.code)));
      });
    });
  }

  connect(receiver: FrameSink): void {
    this.#receiver = receiver;
  }

  send(frame: Frame, offload?: Offload): boolean {
    if (this.#closed || performance.now() < this.#refusedUntilMs) return true;
    writeVirtioHeader(this.#header, 0, frame, offload);
    try {
      writevSync(this.#descriptor, [this.#header, frame]);
    } catch {
      this.#refusedUntilMs = performance.now() + refusedMs;
    }
    return true;
  }

  resume(): void {}

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    Atomics.store(this.#words, tapWord.stop, 1);
    Atomics.notify(this.#words, tapWord.batches);
  }

  /** The thread no longer uses the descriptor. */
  #ended(): void {
    this.#closed = true;
    closeSync(this.#descriptor);
    void this.#worker.terminate();
  }

  #receive(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; ) {
      const start = at + batchHeaderBytes;
      const end = start + view.getUint32(at, true);
      at = end;
      if (end - start <= headerBytes) continue;
      const frame = bytes.subarray(start + headerBytes, end);
      const left = readVirtioHeader(bytes, start, frame.length, this.#slot);
      if (left === 'none') this.#receiver?.send(frame);
      else if (left !== 'malformed') this.#receiver?.send(frame, left);
    }
    Atomics.sub(this.#words, tapWord.batches, 1);
    Atomics.notify(this.#words, tapWord.batches);
  }
}

function refusal(name: string, at: 'open' | 'interface', code: string): string {
  const own = `sudo ip tuntap add dev ${name} mode tap user $USER`;
  if (code === 'EPERM' || code === 'EACCES') {
    return `the TAP device ${name} needs privileges: make it once for your account (${own}), or use --net user.`;
  }
  if (code === 'EBUSY') return `another process uses the TAP device ${name}.`;
  if (code === 'EINVAL') return `${name} is an interface, but no TAP device.`;
  if (at === 'open') return `this host has no TAP devices (/dev/net/tun: ${code}); use --net user.`;
  return `the TAP device ${name} cannot be opened (${code}).`;
}

/** The sources run as they are, the build as JavaScript: the worker's file has this file's own ending. */
function workerFile(): URL {
  return new URL(`./tap-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}
