/** One virtual machine on a worker thread, seen from the main thread. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { MachineConfig, MachineEvent, Outcome, SerialPort, Statistics } from '../../machine/config.ts';
import type { ProfileEntry } from '../../machine/profile.ts';
import type { Failure } from '../../support/result.ts';
import type { TranslationWorkerData } from './translation-link.ts';
import { allocateLink, HostLink } from './vm-link.ts';
import { VmRequests } from './vm-requests.ts';

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

/** What a machine's thread sends; `started` says that the machine is built, and its report comes last. */
export type VmMessage = VmReport | MachineEvent | { readonly kind: 'started' };

export interface VmWorkerData {
  readonly link: SharedArrayBuffer;
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

/** Translation makes more, in bursts. */
const translatorLimits = { maxYoungGenerationSizeMb: 16 } as const;

/** How long a machine may take to notice a stop request before its thread is ended by force. */
const stopGraceMs = 2000;

export class Vm {
  /** Resolves when the machine has ended and all of its output has been taken. */
  readonly ended: Promise<VmReport>;
  /** Resolves when the machine has been built and runs; never, where it is refused. */
  readonly started: Promise<void>;
  readonly requests: VmRequests;
  readonly #link: HostLink;
  readonly #worker: Worker;
  readonly #translator: Worker | undefined;
  readonly #sink: SerialSink;
  /** Per port, bytes that wait for room, and who waits for them. */
  readonly #unsent: { bytes: Uint8Array; done: (taken: boolean) => void }[][] = [[], []];
  #over = false;

  /** @param machineModule address of the module that exports `createMachine` */
  constructor(config: MachineConfig, machineModule: URL, sink: SerialSink) {
    const link = allocateLink();
    this.#link = new HostLink(link);
    this.requests = new VmRequests(this.#link);
    this.#sink = sink;
    const { kernel, initrd, modules } = config.boot;
    const files = [kernel, ...(initrd === undefined ? [] : [initrd]), ...modules.map((module) => module.data)];
    // Handed over, not copied; a file that was given twice is one buffer.
    const buffers = [...new Set(files.map((bytes) => bytes.buffer as ArrayBuffer))];
    const translation = translates(config) ? new MessageChannel() : undefined;
    const transferList = translation === undefined ? buffers : [...buffers, translation.port1];
    const workerData: VmWorkerData = {
      link,
      config,
      machineModule: machineModule.href,
      translation: translation?.port1,
    };
    this.#worker = new Worker(workerFile('vm-worker'), { workerData, transferList, resourceLimits });
    this.#translator = translation === undefined ? undefined : startTranslator(config, translation.port2);
    const started = Promise.withResolvers<void>();
    this.started = started.promise;
    this.ended = this.#pump(this.#report(started.resolve));
  }

  /** Resolves when the guest's side has taken all of `bytes`; with false, when the machine ends before. */
  send(port: SerialPort, bytes: Uint8Array): Promise<boolean> {
    if (this.#over) return Promise.resolve(false);
    return new Promise((done) => {
      this.#unsent[port]?.push({ bytes, done });
      this.#sendWaiting();
    });
  }

  /** Asks the machine to stop; `ended` tells when it has. */
  stop(): void {
    this.#link.requestStop();
    setTimeout(() => void this.#worker.terminate(), stopGraceMs).unref();
  }

  #report(started: () => void): Promise<VmReport> {
    return new Promise((resolve) => {
      this.#worker.on('message', (message: VmMessage) => {
        switch (message.kind) {
          case 'started':
            return started();
          case 'paused':
          case 'resumed':
          case 'statistics':
            return this.requests.take(message);
          default:
            return resolve(message);
        }
      });
      const crashed = (error: unknown): void => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        resolve({ kind: 'crashed', error: text });
      };
      this.#worker.once('error', crashed);
      this.#translator?.once('error', (error) => {
        crashed(error);
        void this.#worker.terminate();
      });
      this.#worker.once('exit', () =>
        resolve({ kind: 'ended', outcome: { kind: 'stopped' }, statistics: {}, profile: [] }),
      );
    });
  }

  async #pump(report: Promise<VmReport>): Promise<VmReport> {
    let last: VmReport | undefined;
    report.then((value) => {
      last = value;
    });
    while (last === undefined) {
      await Promise.race([this.#link.changed(), report]);
      this.#sendWaiting();
      await this.#takeOutput();
    }
    await this.#takeOutput();
    this.#over = true;
    for (const { done } of this.#unsent.flatMap((queue) => queue.splice(0))) done(false);
    this.requests.end();
    await this.#translator?.terminate();
    return last;
  }

  async #takeOutput(): Promise<void> {
    for (const port of [0, 1] as const) {
      const bytes = this.#link.receive(port);
      if (bytes.length > 0) await this.#sink(port, bytes);
    }
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
        next.done(true);
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
