/**
 * The shared memory between the local APICs of processors on different threads: a box for each processor, in which its
 * own APIC publishes what others need to address it, and others leave what it is to receive between two slices.
 */
import { apicDestinationFormat } from '../../spec/x86/apic.ts';
import type { LocalApicRegisters } from './local-apic-wiring.ts';

/** The processor on whose thread the board is: I/O APIC and 8259 pair. */
export const boardProcessor = 0;

/** Words of a box. The published ones have a cache line of their own, as senders read them all the time. */
const word = {
  flags: 0,
  id: 1,
  logicalDestination: 2,
  destinationFormat: 3,
  priority: 4,
  signals: 16,
  /** 256 bits each: edge-triggered and level-triggered vectors, and ends of interrupts for the I/O APIC. */
  edge: 32,
  level: 40,
  endOfInterrupt: 48,
} as const;
const boxWords = 64;
const setWords = 8;

/** What the APIC is ready for: bits of `flags`. */
export const apicFlag = { enabled: 1, x2apic: 2, softwareEnabled: 4 } as const;

/** What waits in the box; `fixed` and `endOfInterrupt` say that their sets are worth a look. */
const signal = {
  fixed: 1,
  endOfInterrupt: 2,
  nmi: 4,
  external: 8,
  init: 16,
  startUp: 32,
  startUpVectorShift: 8,
  startUpVector: 0xff00,
} as const;

/** Takes what was in a box. */
export interface MailReceiver {
  init(): void;
  startUp(vector: number): void;
  nmi(): void;
  external(): void;
  fixed(vector: number, levelTriggered: boolean): void;
  endOfInterrupt(vector: number): void;
}

/**
 * Boxes for processors with these APIC IDs, each with its APIC as after reset: enabled, but not by software. Messages
 * may be left in a box before its processor's thread runs.
 */
export function allocateApicMail(apicIds: readonly number[]): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(apicIds.length * boxWords * 4);
  const words = new Int32Array(buffer);
  apicIds.forEach((id, processor) => {
    const first = processor * boxWords;
    words[first + word.flags] = apicFlag.enabled;
    words[first + word.id] = id;
    words[first + word.destinationFormat] = apicDestinationFormat.resetValue;
  });
  return buffer;
}

export const apicMailProcessors = (buffer: SharedArrayBuffer): number => buffer.byteLength / (boxWords * 4);

export class ApicBox {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer, processor: number) {
    this.#words = new Int32Array(buffer, processor * boxWords * 4, boxWords);
  }

  // ---- What the APIC publishes ----

  /** What other APICs go by; called by the APIC's own thread alone. @param flags bits of `apicFlag` */
  publish(flags: number, priority: number, registers: LocalApicRegisters): void {
    this.#set(word.flags, flags);
    this.#set(word.logicalDestination, registers.logicalDestination);
    this.#set(word.destinationFormat, registers.destinationFormat);
    this.#set(word.priority, priority);
  }

  get id(): number {
    return this.#get(word.id);
  }

  get flags(): number {
    return this.#get(word.flags);
  }

  get logicalDestination(): number {
    return this.#get(word.logicalDestination);
  }

  get destinationFormat(): number {
    return this.#get(word.destinationFormat);
  }

  get priority(): number {
    return this.#get(word.priority);
  }

  // ---- What other threads leave. Each returns whether the box was empty, so that its owner has to be told. ----

  /** A vector that is there already merges with this one, as in IRR. */
  postFixed(vector: number, levelTriggered: boolean): boolean {
    return this.#postVector(levelTriggered ? word.level : word.edge, vector, signal.fixed);
  }

  postEndOfInterrupt(vector: number): boolean {
    return this.#postVector(word.endOfInterrupt, vector, signal.endOfInterrupt);
  }

  postNmi(): boolean {
    return this.#signal(signal.nmi);
  }

  postExternal(): boolean {
    return this.#signal(signal.external);
  }

  /** What came before an INIT and was not taken, its reset forgets. */
  postInit(): boolean {
    const kept = signal.fixed | signal.endOfInterrupt;
    return this.#change((before) => (before & kept) | signal.init);
  }

  /** Of several start-up messages the first counts, as its receiver does not wait any more. */
  postStartUp(vector: number): boolean {
    const added = signal.startUp | (vector << signal.startUpVectorShift);
    return this.#change((before) => ((before & signal.startUp) === 0 ? before | added : before));
  }

  // ---- The owner's side ----

  get waiting(): boolean {
    return Atomics.load(this.#words, word.signals) !== 0;
  }

  /** Empties the box: INIT, start-up, and then what a processor that has been reset refuses. */
  take(receiver: MailReceiver): void {
    const signals = Atomics.exchange(this.#words, word.signals, 0);
    if ((signals & signal.init) !== 0) receiver.init();
    if ((signals & signal.startUp) !== 0) {
      receiver.startUp((signals & signal.startUpVector) >>> signal.startUpVectorShift);
    }
    if ((signals & signal.nmi) !== 0) receiver.nmi();
    if ((signals & signal.external) !== 0) receiver.external();
    if ((signals & signal.endOfInterrupt) !== 0) {
      this.#takeVectors(word.endOfInterrupt, (vector) => receiver.endOfInterrupt(vector));
    }
    if ((signals & signal.fixed) !== 0) this.takeFixed(receiver);
  }

  /** Takes the fixed interrupts alone. A vector that came both ways is told as level-triggered at the end. */
  takeFixed(receiver: Pick<MailReceiver, 'fixed'>): void {
    this.#takeVectors(word.edge, (vector) => receiver.fixed(vector, false));
    this.#takeVectors(word.level, (vector) => receiver.fixed(vector, true));
  }

  #get(index: number): number {
    return Atomics.load(this.#words, index) >>> 0;
  }

  #set(index: number, value: number): void {
    if (this.#words[index] !== (value | 0)) Atomics.store(this.#words, index, value);
  }

  /** The vector before the signal: who sees the signal finds it. */
  #postVector(set: number, vector: number, bit: number): boolean {
    Atomics.or(this.#words, set + (vector >>> 5), 1 << (vector & 31));
    return this.#signal(bit);
  }

  #signal(bit: number): boolean {
    return Atomics.or(this.#words, word.signals, bit) === 0;
  }

  #change(after: (before: number) => number): boolean {
    for (let before = Atomics.load(this.#words, word.signals); ; ) {
      const seen = Atomics.compareExchange(this.#words, word.signals, before, after(before));
      if (seen === before) return before === 0;
      before = seen;
    }
  }

  #takeVectors(set: number, take: (vector: number) => void): void {
    for (let index = 0; index < setWords; index++) {
      if (Atomics.load(this.#words, set + index) === 0) continue;
      for (let bits = Atomics.exchange(this.#words, set + index, 0); bits !== 0; bits &= bits - 1) {
        take(index * 32 + 31 - Math.clz32(bits & -bits));
      }
    }
  }
}
