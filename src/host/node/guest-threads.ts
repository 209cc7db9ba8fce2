/**
 * The threads that machines run on. Those of the first machine are started ahead of it: loading takes them longer than it takes
 * the main thread to find out what they are to run.
 */
import { parentPort, Worker } from 'node:worker_threads';
import { programFile } from './compiled-program.ts';

/**
 * Bounds of V8's nurseries. Decoding makes short-lived garbage at a steady rate: a large one would only keep it resident.
 * Translation makes more, in bursts; but memory that is touched for the first time costs more than collecting more often.
 */
const nurseryMb = { 'vm-worker': 6, 'processor-worker': 6, 'translation-worker': 4 } as const;

export type ThreadKind = keyof typeof nurseryMb;

/** A thread's first message, when it has loaded its program. */
const loadedMessage = 'loaded';

export class GuestThreads {
  readonly #programs: Partial<Record<ThreadKind, URL>>;
  readonly #ahead = new Map<ThreadKind, { readonly worker: Worker; readonly loaded: Promise<void> }>();

  /** @param programs addresses of other programs than the usual ones */
  constructor(programs: Partial<Record<ThreadKind, URL>> = {}) {
    this.#programs = programs;
  }

  /** Starts the threads of a machine with one processor. */
  startAhead(): void {
    for (const kind of ['vm-worker', 'translation-worker'] as const) {
      const worker = this.#start(kind);
      const loaded = new Promise<void>((resolve, reject) => {
        onMessage(worker, () => {}, resolve);
        worker.once('error', reject);
      });
      loaded.catch(() => {}); // For where nobody asks.
      this.#ahead.set(kind, { worker, loaded });
    }
  }

  /** Resolves when those that were started ahead have loaded their programs; rejects when one cannot. */
  async loaded(): Promise<void> {
    await Promise.all([...this.#ahead.values()].map(({ loaded }) => loaded));
  }

  /** @returns a thread that waits for what it is to do: see `receiveWork` */
  take(kind: ThreadKind): Worker {
    const ahead = this.#ahead.get(kind);
    this.#ahead.delete(kind);
    return ahead?.worker ?? this.#start(kind);
  }

  /** Ends the threads that were started ahead and not taken. */
  endRest(): void {
    for (const { worker } of this.#ahead.values()) void worker.terminate();
    this.#ahead.clear();
  }

  #start(kind: ThreadKind): Worker {
    const program = this.#programs[kind] ?? new URL(`./${kind}.ts`, import.meta.url);
    const resourceLimits = { maxYoungGenerationSizeMb: nurseryMb[kind] };
    return new Worker(programFile('guest-thread'), { workerData: program.href, resourceLimits });
  }
}

/** Takes what a thread says, without its first message. */
export function onMessage<T>(worker: Worker, take: (message: T) => void, loaded: () => void = () => {}): void {
  worker.on('message', (message: T | typeof loadedMessage) => (message === loadedMessage ? loaded() : take(message)));
}

/** In such a thread, when it has loaded its program. @param work called with what the thread is to do */
export function receiveWork<T>(work: (given: T) => void): void {
  parentPort?.once('message', work);
  parentPort?.postMessage(loadedMessage);
}
