/**
 * Ports and memory-mapped devices from processors other than the first: the board lives on the first one's thread, so the
 * others post what they want and wait. One request of each processor at a time.
 */
import { MmioBus } from '../device-model/mmio.ts';
import { type AccessSize, PortBus } from '../device-model/port-io.ts';

const word = { state: 0, kind: 1, addressLow: 2, addressHigh: 3, size: 4, value: 5, words: 16 } as const;
const requestState = { idle: 0, posted: 1, done: 2 } as const;
const requestKind = { portRead: 0, portWrite: 1, mmioRead: 2, mmioWrite: 3, died: 4 } as const;

const two32 = 2 ** 32;
const lastPort = 0xffff;
const physicalEnd = 2 ** 52;
/** Rounds of looking before a thread goes to sleep: about as long as the first processor takes to notice. */
const spins = 20_000;
const napMs = 10;

export const allocateRemoteIo = (processors: number): SharedArrayBuffer =>
  new SharedArrayBuffer(processors * word.words * 4);

export interface RemoteIoHost {
  /** Makes the first processor's thread look. */
  readonly wake: () => void;
  /** Runs what waits, without holding up the other processors. */
  readonly block: <T>(wait: () => T) => T;
  /** Does what this thread can do itself: a write to physical memory rings a doorbell. @returns whether it was one */
  readonly ring: (address: number) => boolean;
  /** The machine is coming to its end: nobody may answer any more. */
  readonly stopping: () => boolean;
}

/** A processor's end. */
export class RemoteIo {
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #base: number;
  readonly #host: RemoteIoHost;

  constructor(buffer: SharedArrayBuffer, processor: number, host: RemoteIoHost) {
    this.#words = new Int32Array(buffer);
    this.#base = processor * word.words;
    this.#host = host;
    this.ports.map(0, lastPort, {
      portWidth: 4,
      readPort: (port, size) => this.#ask(requestKind.portRead, port, size, 0),
      writePort: (port, size, value) => void this.#ask(requestKind.portWrite, port, size, value),
    });
    this.mmio.map(0, physicalEnd, {
      readMmio: (address, size) => this.#ask(requestKind.mmioRead, address, size, 0),
      writeMmio: (address, size, value) => {
        if (!host.ring(address)) this.#ask(requestKind.mmioWrite, address, size, value);
      },
    });
  }

  /** This processor has come to a triple fault. */
  died(): void {
    // No slice runs: there is nothing to be left for the time of waiting.
    this.#await(this.#post(requestKind.died, 0, 1, 0));
  }

  #ask(kind: number, address: number, size: AccessSize, value: number): number {
    const at = this.#post(kind, address, size, value);
    this.#host.block(() => this.#await(at));
    const answer = (this.#words[this.#base + word.value] as number) >>> 0;
    Atomics.store(this.#words, at, requestState.idle);
    return answer;
  }

  /** @returns where to wait for the answer */
  #post(kind: number, address: number, size: AccessSize, value: number): number {
    const words = this.#words;
    const at = this.#base + word.state;
    words[this.#base + word.kind] = kind;
    words[this.#base + word.addressLow] = (address % two32) | 0;
    words[this.#base + word.addressHigh] = Math.floor(address / two32);
    words[this.#base + word.size] = size;
    words[this.#base + word.value] = value | 0;
    Atomics.store(words, at, requestState.posted);
    this.#host.wake();
    return at;
  }

  #await(at: number): void {
    for (let n = 0; Atomics.load(this.#words, at) === requestState.posted; n++) {
      if (n < spins) continue;
      Atomics.wait(this.#words, at, requestState.posted, napMs);
      if (this.#host.stopping()) return;
      this.#host.wake();
    }
  }
}

export interface RemoteIoTarget {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  /** A processor has come to a triple fault. */
  readonly died: (processor: number) => void;
}

/** The board's end. */
export class RemoteIoService {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #processors: number;
  readonly #target: RemoteIoTarget;

  constructor(buffer: SharedArrayBuffer, processors: number, target: RemoteIoTarget) {
    this.#words = new Int32Array(buffer);
    this.#processors = processors;
    this.#target = target;
  }

  get waiting(): boolean {
    for (let processor = 1; processor < this.#processors; processor++) {
      if (Atomics.load(this.#words, processor * word.words + word.state) === requestState.posted) return true;
    }
    return false;
  }

  /** Does what was asked, between two slices. @returns whether there was anything */
  serve(): boolean {
    let served = false;
    for (let processor = 1; processor < this.#processors; processor++) {
      const base = processor * word.words;
      if (Atomics.load(this.#words, base + word.state) !== requestState.posted) continue;
      this.#words[base + word.value] = this.#do(processor, base) | 0;
      Atomics.store(this.#words, base + word.state, requestState.done);
      Atomics.notify(this.#words, base + word.state);
      served = true;
    }
    return served;
  }

  #do(processor: number, base: number): number {
    const words = this.#words;
    const { ports, mmio, died } = this.#target;
    const low = (words[base + word.addressLow] as number) >>> 0;
    const address = (words[base + word.addressHigh] as number) * two32 + low;
    const size = words[base + word.size] as AccessSize;
    const value = (words[base + word.value] as number) >>> 0;
    switch (words[base + word.kind]) {
      case requestKind.portRead:
        return ports.read(address, size);
      case requestKind.portWrite:
        ports.write(address, size, value);
        return 0;
      case requestKind.mmioRead:
        return mmio.read(address, size);
      case requestKind.mmioWrite:
        mmio.write(address, size, value);
        return 0;
      default:
        died(processor);
        return 0;
    }
  }
}
