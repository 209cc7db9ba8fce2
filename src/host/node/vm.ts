/** One virtual machine on a worker thread, seen from the main thread. */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import type { IoSide } from '../../devices/virtio/io-side.ts';
import type { VirtioDevice } from '../../devices/virtio/virtio-device.ts';
import type { MachineConfig, MachineEvent, Outcome, SerialPort, Statistics } from '../../machine/config.ts';
import type { ProfileEntry } from '../../machine/profile.ts';
import { createIoSide, type SharedMachine } from '../../machine/shared-machine.ts';
import type { Failure } from '../../support/result.ts';
import { buffersOf } from './boot-files.ts';
import type { GovernedProcessors } from './fair-use/governor.ts';
import { type GuestThreads, onMessage } from './guest-threads.ts';
import type { TranslationWork } from './translation-link.ts';
import { allocateLink, HostLink, sharedNowNs } from './vm-link.ts';
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

/** What a machine's thread is to do. */
export interface VmWork {
  readonly link: SharedArrayBuffer;
  readonly shared: SharedMachine;
  readonly config: MachineConfig;
  /** To the translating thread, if there is one. */
  readonly translation: MessagePort | undefined;
}

export interface ProcessorWork extends VmWork {
  /** From 1 on. */
  readonly processor: number;
}

/** Takes what the guest sends; the next bytes come when the promise has resolved. */
export type SerialSink = (port: SerialPort, bytes: Uint8Array) => Promise<void>;

export interface VmParts {
  readonly config: MachineConfig;
  /** Allocated for `config` and `devices`. */
  readonly shared: SharedMachine;
  readonly devices: readonly VirtioDevice[];
  readonly threads: GuestThreads;
  readonly sink: SerialSink;
  /** Told what a guest's driver did wrong with the device of that number. */
  readonly report: (device: number, reason: string) => void;
}

/** How long a machine may take to notice a stop request before its thread is ended by force. */
const stopGraceMs = 2000;
const processorGraceMs = 500;

export class Vm {
  /** Resolves when the machine has ended and all of its output has been taken. */
  readonly ended: Promise<VmReport>;
  /** Resolves when the machine has been built and runs; never, where it is refused. */
  readonly started: Promise<void>;
  readonly requests: VmRequests;
  readonly #link: HostLink;
  readonly #io: IoSide;
  readonly #worker: Worker;
  /** Of the processors beyond the first. */
  readonly #processors: readonly Worker[];
  readonly #translator: Worker | undefined;
  readonly #sink: SerialSink;
  /** Per port, bytes that wait for room, and who waits for them. */
  readonly #unsent: { bytes: Uint8Array; done: (taken: boolean) => void }[][] = [[], []];
  #over = false;

  /** A device threw: ends the machine. */
  #crashed: (error: unknown) => void = () => {};
  /** Whether output of the guest is on its way to the sink. */
  #sinking = false;

  constructor({ config, shared, devices, threads, sink, report }: VmParts) {
    const link = allocateLink();
    this.#link = new HostLink(link);
    this.requests = new VmRequests(this.#link);
    this.#sink = sink;
    this.#io = createIoSide(shared, devices, {
      ringMachine: () => this.#link.ringMachine(),
      ringProcessors: () => this.#link.ringProcessors(),
      soon: (task) => void setImmediate(task),
      report,
      crashed: (error) => this.#crashed(error),
    });
    const channels = translates(config) ? shared.processors.map(() => new MessageChannel()) : [];
    const ports = channels.map(({ port1 }) => port1);
    const work: VmWork = { link, shared, config, translation: ports[0] };
    // Handed over, not copied.
    this.#worker = threads.take('vm-worker');
    this.#worker.postMessage(work, [...buffersOf(config.boot), ...ports.slice(0, 1)]);
    const bare = { ...config, boot: { kind: 'firmware', image: new Uint8Array(0) } } as const;
    this.#processors = shared.processors.slice(1).map((_, n) => {
      const processor = threads.take('processor-worker');
      const its: ProcessorWork = { link, shared, config: bare, translation: ports[n + 1], processor: n + 1 };
      processor.postMessage(its, ports.slice(n + 1, n + 2));
      return processor;
    });
    const served = channels.map(({ port2 }) => port2);
    this.#translator = served.length === 0 ? undefined : startTranslator(threads, config, shared, served);
    threads.endRest();
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

  /** For who keeps it to its share of the host's processors. */
  get processors(): GovernedProcessors {
    const link = this.#link;
    return {
      count: this.#processors.length + 1,
      nowNs: sharedNowNs,
      idleNs: (processor) => link.sleptNs(processor),
      isPaused: () => link.isPaused,
      block: (times) => link.block(times),
    };
  }

  /** From soon after `true` until `false` no instruction runs, and guest time stands still: for want of room. */
  setWaitingForRoom(waiting: boolean): void {
    this.#link.setPaused('room', waiting);
  }

  /** Asks the machine to stop; `ended` tells when it has. */
  stop(): void {
    this.#link.requestStop();
    setTimeout(() => void this.#worker.terminate(), stopGraceMs).unref();
  }

  #report(started: () => void): Promise<VmReport> {
    return new Promise((resolve) => {
      onMessage(this.#worker, (message: VmMessage) => {
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
      this.#crashed = (error) => {
        crashed(error);
        void this.#worker.terminate();
      };
      this.#worker.once('error', crashed);
      for (const helper of [this.#translator, ...this.#processors]) {
        helper?.once('error', (error) => this.#crashed(error));
      }
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
    this.#over = true;
    for (const { done } of this.#unsent.flatMap((queue) => queue.splice(0))) done(false);
    this.requests.end();
    this.#link.requestStop();
    const further = await Promise.all(this.#processors.map(lastStatistics));
    await Promise.all([this.#translator, ...this.#processors].map((worker) => worker?.terminate()));
    return withProcessors(last, further);
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
        next.done(true);
      }
    }
  }
}

/** What a processor's thread counted; nothing, if it does not end in time. */
function lastStatistics(worker: Worker): Promise<Statistics> {
  return new Promise((resolve) => {
    onMessage(worker, (statistics: Statistics) => resolve(statistics));
    worker.once('exit', () => resolve({}));
    setTimeout(() => resolve({}), processorGraceMs).unref();
  });
}

/** Adds what further processors counted, under their numbers. */
function withProcessors(report: VmReport, further: readonly Statistics[]): VmReport {
  if (report.kind !== 'ended' || further.length === 0) return report;
  const counted = further.flatMap((statistics, n) =>
    Object.entries(statistics).map(([name, count]) => [`processor${n + 1}.${name}`, count] as const),
  );
  return { ...report, statistics: { ...report.statistics, ...Object.fromEntries(counted) } };
}

const translates = ({ accel }: MachineConfig): boolean => accel === 'auto' || accel === 'translate';

/** @param ports one of each processor */
function startTranslator(
  threads: GuestThreads,
  config: MachineConfig,
  shared: SharedMachine,
  ports: readonly MessagePort[],
): Worker {
  const { ram, madeRegions } = shared;
  const { cpuModel, countsTlbHits: countsLookups } = config;
  const work: TranslationWork = {
    ...{ ports, cpuModel, countsLookups, atomic: ports.length > 1 },
    shared: { ram, madeRegions },
  };
  const worker = threads.take('translation-worker');
  worker.postMessage(work, [...ports]);
  worker.unref();
  return worker;
}
