/**
 * The memory that the machine's thread and the main thread share: four byte queues, a bell for each side, the stop and
 * pause flags, a bit for each request, and times. A bell is a counter that is raised and notified after something changed
 * for that side.
 */
import { availableParallelism } from 'node:os';
import type { MachineEvent, MachineHost, MachineRequest, ProcessorHost, SerialPort } from '../../machine/config.ts';
import { maxProcessors } from '../../memory/page-users.ts';
import { readBootFile } from './boot-files.ts';
import { ByteRing } from './byte-ring.ts';
import { garbageCollector } from './engine-options.ts';
import { type Block, blockedForNs } from './fair-use/block.ts';
import { type MemoryAdvice, openMemoryAdvice } from './memory-advice.ts';
import { randomWords } from './random.ts';

/** `processorBells`: of processors from 1 on; the machine's bell is that of processor 0. */
const word = { machineBell: 0, hostBell: 1, stop: 2, pause: 3, requests: 4, processorBells: 5, words: 20 } as const;
/**
 * Times in nanoseconds, 64 bits each, behind the words: the block that all processors keep to (see fair-use/block.ts; without
 * one `blockEnd` is 0), and of each processor, how long it has slept for want of work, and since when it does (0: it does
 * not).
 */
const blockWords = { blockFrom: 0, blockUntil: 1, blockEvery: 2, blockEnd: 3 } as const;
const time = { ...blockWords, slept: 4, sleepsSince: 4 + maxProcessors, times: 4 + 2 * maxProcessors } as const;
/** Waiting longer than needed by so much does no harm. */
const noticedNs = 500_000;
const headBytes = word.words * 4 + time.times * 8;
/** Each reason to stand still is a bit, too: somebody wants it; the host has no room for what the guest writes. */
const pauseReasons = ['user', 'room'] as const;
export type PauseReason = (typeof pauseReasons)[number];
/** Each request is a bit: asking twice before it is met is asking once. */
const requestOrder: readonly MachineRequest[] = ['power-button', 'statistics'];
const inputCapacity = 1 << 14;
const outputCapacity = 1 << 17;
const ringSizes = [inputCapacity, outputCapacity, inputCapacity, outputCapacity];

interface Link {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly times: BigInt64Array<SharedArrayBuffer>;
  /** By port, what goes to the guest. */
  readonly input: readonly [ByteRing, ByteRing];
  /** By port, what comes from the guest. */
  readonly output: readonly [ByteRing, ByteRing];
}

export function allocateLink(): SharedArrayBuffer {
  return new SharedArrayBuffer(ringSizes.reduce((sum, size) => sum + ByteRing.size(size), headBytes));
}

function openLink(buffer: SharedArrayBuffer): Link {
  let offset = headBytes;
  const ring = (capacity: number): ByteRing => {
    const result = new ByteRing(buffer, offset, capacity);
    offset += ByteRing.size(capacity);
    return result;
  };
  const console = [ring(inputCapacity), ring(outputCapacity)] as const;
  const channel = [ring(inputCapacity), ring(outputCapacity)] as const;
  const words = new Int32Array(buffer, 0, word.words);
  const times = new BigInt64Array(buffer, word.words * 4, time.times);
  return { words, times, input: [console[0], channel[0]], output: [console[1], channel[1]] };
}

function ringBell(words: Int32Array<SharedArrayBuffer>, bell: number): void {
  Atomics.add(words, bell, 1);
  Atomics.notify(words, bell);
}

const bellOf = (processor: number): number =>
  processor === 0 ? word.machineBell : word.processorBells + processor - 1;

/** Nanoseconds of the clock that all threads of a process share; `performance.now` counts from each thread's start. */
export function sharedNowNs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}

/** A processor's side: everything here is called on its own thread and may block it. */
export function createProcessorHost(buffer: SharedArrayBuffer, processor: number): ProcessorHost {
  const { words, times } = openLink(buffer);
  const own = bellOf(processor);
  let heard = 0;
  let advice: MemoryAdvice | undefined;
  let collect: (() => void) | undefined;
  const wait = (maxNs: number): void => {
    Atomics.wait(words, own, heard, maxNs / 1e6);
    heard = Atomics.load(words, own);
  };
  return {
    nowNs: sharedNowNs,
    wallClockMs: () => Date.now(),
    random64: randomWords(),
    sleep: (maxNs) => {
      const sinceNs = BigInt(sharedNowNs());
      Atomics.store(times, time.sleepsSince + processor, sinceNs);
      wait(maxNs);
      Atomics.store(times, time.sleepsSince + processor, 0n);
      Atomics.add(times, time.slept + processor, BigInt(sharedNowNs()) - sinceNs);
    },
    standBack: () => {
      const endNs = Number(Atomics.load(times, time.blockEnd));
      if (endNs === 0) return 0;
      const nowNs = sharedNowNs();
      const waitNs = blockedForNs(nowNs, {
        fromNs: Number(Atomics.load(times, time.blockFrom)),
        untilNs: Number(Atomics.load(times, time.blockUntil)),
        everyNs: Number(Atomics.load(times, time.blockEvery)),
        endNs,
      });
      if (waitNs === 0) return 0;
      wait(waitNs);
      return Math.max(1, sharedNowNs() - nowNs);
    },
    ring: (other) => ringBell(words, bellOf(other)),
    wakeIo: () => ringBell(words, word.hostBell),
    stopRequested: () => Atomics.load(words, word.stop) !== 0,
    giveBack: (memory, ranges) => {
      advice ??= openMemoryAdvice();
      for (const [from, to] of ranges) advice?.releaseWithin(memory.buffer, from, to);
      collect ??= garbageCollector();
      collect();
      advice?.trimHeap();
    },
    cores: availableParallelism(),
  };
}

/** The machine's side: everything here is called on the machine's thread and may block it. */
export function createMachineHost(buffer: SharedArrayBuffer, report: (event: MachineEvent) => void): MachineHost {
  const { words, input, output } = openLink(buffer);
  const processor = createProcessorHost(buffer, 0);
  const { stopRequested } = processor;
  return {
    ...processor,
    pauseRequested: () => Atomics.load(words, word.pause) !== 0,
    takeRequest: () => {
      const waiting = Atomics.load(words, word.requests);
      if (waiting === 0) return undefined;
      const bit = 31 - Math.clz32(waiting);
      Atomics.and(words, word.requests, ~(1 << bit));
      return requestOrder[bit];
    },
    report,
    readFile: readBootFile,
    serialInput: (port) => {
      const byte = input[port].readByte();
      // The main thread may be waiting for room.
      if (byte >= 0 && input[port].length === 0) ringBell(words, word.hostBell);
      return byte;
    },
    serialOutput: (port, bytes) => {
      let rest = bytes;
      for (;;) {
        // Read before the attempt, and apart from `heard`: waiting for room here must not swallow the ring that
        // announces input to `sleep`.
        const bell = Atomics.load(words, word.machineBell);
        const written = output[port].write(rest);
        if (written > 0) ringBell(words, word.hostBell);
        rest = rest.subarray(written);
        if (rest.length === 0 || stopRequested()) return;
        Atomics.wait(words, word.machineBell, bell);
      }
    },
  };
}

/** The main thread's side: nothing here blocks. */
export class HostLink {
  readonly #link: Link;
  #heard = 0;
  #block: Block | undefined;

  constructor(buffer: SharedArrayBuffer) {
    this.#link = openLink(buffer);
  }

  /** Takes what the guest has sent through `port`. */
  receive(port: SerialPort): Uint8Array {
    const bytes = this.#link.output[port].read(outputCapacity);
    if (bytes.length > 0) ringBell(this.#link.words, word.machineBell);
    return bytes;
  }

  /** Queues bytes for the guest. @returns how many fit */
  send(port: SerialPort, bytes: Uint8Array): number {
    const count = this.#link.input[port].write(bytes);
    if (count > 0) ringBell(this.#link.words, word.machineBell);
    return count;
  }

  requestStop(): void {
    Atomics.store(this.#link.words, word.stop, 1);
    this.ringProcessors();
  }

  /** Wakes the threads of all processors. */
  ringProcessors(): void {
    for (let processor = 0; processor < maxProcessors; processor++) ringBell(this.#link.words, bellOf(processor));
  }

  /** The machine stands still as long as there is a reason for it. */
  setPaused(reason: PauseReason, paused: boolean): void {
    const bit = 1 << pauseReasons.indexOf(reason);
    if (paused) Atomics.or(this.#link.words, word.pause, bit);
    else Atomics.and(this.#link.words, word.pause, ~bit);
    ringBell(this.#link.words, word.machineBell);
  }

  get isPaused(): boolean {
    return Atomics.load(this.#link.words, word.pause) !== 0;
  }

  /** Takes the place of a block that was there. */
  block(block: Block | undefined): void {
    const { times } = this.#link;
    const store = (index: number, ns: number): void => void Atomics.store(times, index, BigInt(Math.round(ns)));
    // Whoever looks meanwhile may take the one's beginning for the other's: it will look again soon.
    store(time.blockFrom, block?.fromNs ?? 0);
    store(time.blockUntil, block?.untilNs ?? 0);
    store(time.blockEvery, block?.everyNs ?? 0);
    store(time.blockEnd, block?.endNs ?? 0);
    const nowNs = sharedNowNs();
    const rest = (one: Block | undefined): number => (one === undefined ? 0 : blockedForNs(nowNs, one));
    // They wait for a time that does not count any more.
    if (rest(this.#block) > rest(block) + noticedNs) this.ringProcessors();
    this.#block = block;
  }

  /** How long a processor has slept for want of work. */
  sleptNs(processor: number): number {
    const { times } = this.#link;
    const since = Number(Atomics.load(times, time.sleepsSince + processor));
    const slept = Number(Atomics.load(times, time.slept + processor));
    return since === 0 ? slept : slept + Math.max(0, sharedNowNs() - since);
  }

  /** Wakes the machine's thread if it sleeps. */
  ringMachine(): void {
    ringBell(this.#link.words, word.machineBell);
  }

  /** Makes `changed` resolve. */
  ringHost(): void {
    ringBell(this.#link.words, word.hostBell);
  }

  request(request: MachineRequest): void {
    Atomics.or(this.#link.words, word.requests, 1 << requestOrder.indexOf(request));
    ringBell(this.#link.words, word.machineBell);
  }

  /** Resolves when the machine has sent something, made room for input, or asked its devices, since the last call. */
  async changed(): Promise<void> {
    const { words } = this.#link;
    const wait = Atomics.waitAsync(words, word.hostBell, this.#heard);
    if (wait.async) await wait.value;
    this.#heard = Atomics.load(words, word.hostBell);
  }
}
