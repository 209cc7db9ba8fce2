/** One virtual machine on a worker thread, seen from the main thread. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { IoSide } from '../../devices/virtio/io-side.ts';
import type { VirtioDevice } from '../../devices/virtio/virtio-device.ts';
import type { MachineConfig, Outcome, SerialPort, Statistics } from '../../machine/config.ts';
import type { ProfileEntry } from '../../machine/profile.ts';
import { createIoSide, type SharedMachine } from '../../machine/shared-machine.ts';
import type { Failure } from '../../support/result.ts';
import type { TranslationWorkerData } from './translation-link.ts';
import { allocateLink, HostLink } from './vm-link.ts';

/** The last word of a machine's thread. `crashed` is a defect of ours. */
export type VmReport =
  | {
      readonly kind: 'ended';
      readonly outcome: Outcome;
      readonly statistics: Statistics;
      readonly profile: readonly ProfileEntry[];
    }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'crashed'; readonly error: string };

export interface VmWorkerData {
  readonly link: SharedArrayBuffer;
  readonly shared: SharedMachine;
  readonly config: MachineConfig;
  readonly machineModule: string;
  /** To the translating thread, if there is one. */
  readonly translation: MessagePort | undefined;
}

/** Takes what the guest sends; the next bytes come when the promise has resolved. */
export type SerialSink = (port: SerialPort, bytes: Uint8Array) => Promise<void>;

/** Decoding makes short-lived garbage at a steady rate: a large nursery would only keep it resident. */
const resourceLimits = { maxYoungGenerationSizeMb: 6 } as const;

const wasmPageBytes = 65_536;

export interface VmParts {
  readonly config: MachineConfig;
  /** Allocated for `config` and `devices`. */
  readonly shared: SharedMachine;
  readonly devices: readonly VirtioDevice[];
  /** Address of the module that exports `createMachine`. */
  readonly machineModule: URL;
  readonly sink: SerialSink;
  /** Told what a guest's driver did wrong with the device of that number. */
  readonly report: (device: number, reason: string) => void;
}

/** Translation makes more, in bursts. */
const translatorLimits = { maxYoungGenerationSizeMb: 16 } as const;

/** How long a machine may take to notice a stop request before its thread is ended by force. */
const stopGraceMs = 2000;

export class Vm {
  /** Resolves when the machine has ended and all of its output has been taken. */
  readonly ended: Promise<VmReport>;
  readonly #link: HostLink;
  readonly #io: IoSide;
  readonly #worker: Worker;
  readonly #translator: Worker | undefined;
  readonly #sink: SerialSink;
  /** Per port, bytes that wait for room, and who waits for them. */
  readonly #unsent: { bytes: Uint8Array; done: () => void }[][] = [[], []];

  /** A device threw: ends the machine. */
  #crashed: (error: unknown) => void = () => {};
  /** Whether output of the guest is on its way to the sink. */
  #sinking = false;

  constructor({ config, shared, devices, machineModule, sink, report }: VmParts) {
    const link = allocateLink();
    this.#link = new HostLink(link);
    this.#sink = sink;
    this.#io = createIoSide(shared, devices, {
      ringMachine: () => this.#link.ringMachine(),
      soon: (task) => void setImmediate(task),
      report,
      crashed: (error) => this.#crashed(error),
    });
    const { kernel, initrd, modules } = config.boot;
    const files = [kernel, ...(initrd === undefined ? [] : [initrd]), ...modules.map((module) => module.data)];
    // Handed over, not copied; a file that was given twice is one buffer.
    const buffers = [...new Set(files.map((bytes) => bytes.buffer as ArrayBuffer))];
    const translation = translates(config) ? new MessageChannel() : undefined;
    const transferList = translation === undefined ? buffers : [...buffers, translation.port1];
    const workerData: VmWorkerData = {
      link,
      shared,
      config,
      machineModule: machineModule.href,
      translation: translation?.port1,
    };
    this.#worker = new Worker(workerFile('vm-worker'), { workerData, transferList, resourceLimits });
    this.#translator = translation === undefined ? undefined : startTranslator(config, translation.port2);
    this.ended = this.#pump(this.#report());
  }

  /** Resolves when the guest's side has taken all of `bytes`; never, when the machine ends before. */
  send(port: SerialPort, bytes: Uint8Array): Promise<void> {
    return new Promise((done) => {
      this.#unsent[port]?.push({ bytes, done });
      this.#sendWaiting();
    });
  }

  /** From soon after `true` until `false` no instruction runs, and guest time stands still. */
  setPaused(paused: boolean): void {
    this.#link.setPaused(paused);
  }

  /** Asks the machine to stop; `ended` tells when it has. */
  stop(): void {
    this.#link.requestStop();
    setTimeout(() => void this.#worker.terminate(), stopGraceMs).unref();
  }

  #report(): Promise<VmReport> {
    return new Promise((resolve) => {
      this.#worker.once('message', (report: VmReport) => resolve(report));
      const crashed = (error: unknown): void => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        resolve({ kind: 'crashed', error: text });
      };
      this.#crashed = (error) => {
        crashed(error);
        void this.#worker.terminate();
      };
      this.#worker.once('error', crashed);
      this.#translator?.once('error', (error) => this.#crashed(error));
      this.#worker.once('exit', () =>
        resolve({ kind: 'ended', outcome: { kind: 'stopped' }, statistics: {}, profile: [] }),
      );
    });
  }

  async #pump(report: Promise<VmReport>): Promise<VmReport> {
    let last: VmReport | undefined;
    let sunk = Promise.resolve();
    void report.then((value) => {
      last = value;
      this.#link.ringHost();
    });
    while (last === undefined) {
      await this.#link.changed();
      this.#io.serve();
      this.#sendWaiting();
      if (!this.#sinking) sunk = this.#takeOutput();
    }
    await this.#io.stop();
    await sunk;
    await this.#takeOutput();
    await this.#translator?.terminate();
    return last;
  }

  /** Hands over what there is, without holding up the devices while the sink is slow. */
  async #takeOutput(): Promise<void> {
    this.#sinking = true;
    for (let found = true; found; ) {
      found = false;
      for (const port of [0, 1] as const) {
        const bytes = this.#link.receive(port);
        if (bytes.length === 0) continue;
        found = true;
        await this.#sink(port, bytes);
      }
    }
    this.#sinking = false;
  }

  #sendWaiting(): void {
    for (const port of [0, 1] as const) {
      const queue = this.#unsent[port] ?? [];
      for (let next = queue[0]; next !== undefined; next = queue[0]) {
        const sent = this.#link.send(port, next.bytes);
        if (sent < next.bytes.length) {
          next.bytes = next.bytes.subarray(sent);
          break;
        }
        queue.shift();
        next.done();
      }
    }
  }
}

const translates = ({ accel }: MachineConfig): boolean => accel === 'auto' || accel === 'translate';

function startTranslator(config: MachineConfig, port: MessagePort): Worker {
  const guestPages = Math.ceil(config.memoryBytes / wasmPageBytes);
  const workerData: TranslationWorkerData = { port, cpuModel: config.cpuModel, guestPages };
  const worker = new Worker(workerFile('translation-worker'), {
    workerData,
    transferList: [port],
    resourceLimits: translatorLimits,
  });
  worker.unref();
  return worker;
}

/** The sources run as they are, the build as JavaScript: the workers' files have this file's own ending. */
function workerFile(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}
