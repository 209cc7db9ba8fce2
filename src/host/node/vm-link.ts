/**
 * The memory that the machine's thread and the main thread share: four byte queues, a bell for each side, the stop and
 * pause flags. A bell is a counter that is raised and notified after something changed for that side.
 */
import { randomBytes } from 'node:crypto';
import type { MachineHost, SerialPort } from '../../machine/config.ts';
import { ByteRing } from './byte-ring.ts';

const word = { machineBell: 0, hostBell: 1, stop: 2, pause: 3, words: 4 } as const;
const inputCapacity = 1 << 14;
const outputCapacity = 1 << 17;
const ringSizes = [inputCapacity, outputCapacity, inputCapacity, outputCapacity];

interface Link {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** By port, what goes to the guest. */
  readonly input: readonly [ByteRing, ByteRing];
  /** By port, what comes from the guest. */
  readonly output: readonly [ByteRing, ByteRing];
}

export function allocateLink(): SharedArrayBuffer {
  return new SharedArrayBuffer(ringSizes.reduce((sum, size) => sum + ByteRing.size(size), word.words * 4));
}

function openLink(buffer: SharedArrayBuffer): Link {
  let offset = word.words * 4;
  const ring = (capacity: number): ByteRing => {
    const result = new ByteRing(buffer, offset, capacity);
    offset += ByteRing.size(capacity);
    return result;
  };
  const console = [ring(inputCapacity), ring(outputCapacity)] as const;
  const channel = [ring(inputCapacity), ring(outputCapacity)] as const;
  const words = new Int32Array(buffer, 0, word.words);
  return { words, input: [console[0], channel[0]], output: [console[1], channel[1]] };
}

function ringBell(words: Int32Array<SharedArrayBuffer>, bell: number): void {
  Atomics.add(words, bell, 1);
  Atomics.notify(words, bell);
}

/** The machine's side: everything here is called on the machine's thread and may block it. */
export function createMachineHost(buffer: SharedArrayBuffer): MachineHost {
  const { words, input, output } = openLink(buffer);
  const stopRequested = (): boolean => Atomics.load(words, word.stop) !== 0;
  let heard = 0;
  return {
    nowNs: () => Math.round(performance.now() * 1e6),
    wallClockMs: () => Date.now(),
    random64: () => randomBytes(8).readBigUInt64LE(),
    sleep: (maxNs) => {
      Atomics.wait(words, word.machineBell, heard, maxNs / 1e6);
      heard = Atomics.load(words, word.machineBell);
    },
    stopRequested,
    pauseRequested: () => Atomics.load(words, word.pause) !== 0,
    wakeIo: () => ringBell(words, word.hostBell),
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
    ringBell(this.#link.words, word.machineBell);
  }

  setPaused(paused: boolean): void {
    Atomics.store(this.#link.words, word.pause, paused ? 1 : 0);
    ringBell(this.#link.words, word.machineBell);
  }

  /** Wakes the machine's thread if it sleeps. */
  ringMachine(): void {
    ringBell(this.#link.words, word.machineBell);
  }

  /** Makes `changed` resolve. */
  ringHost(): void {
    ringBell(this.#link.words, word.hostBell);
  }

  /** Resolves when the machine has sent something, made room for input, or asked its devices, since the last call. */
  async changed(): Promise<void> {
    const { words } = this.#link;
    const wait = Atomics.waitAsync(words, word.hostBell, this.#heard);
    if (wait.async) await wait.value;
    this.#heard = Atomics.load(words, word.hostBell);
  }
}
