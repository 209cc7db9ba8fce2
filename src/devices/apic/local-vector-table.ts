/** The local vector table: six sources inside or next to the processor, and the LINT pins. SDM Vol. 3A 12.5.1. */
import { apicLvt, apicRegister, deliveryMode } from '../../spec/x86/apic.ts';

/** Where the table's interrupts go. */
export interface LocalInterruptSink {
  fixed(vector: number, levelTriggered: boolean): void;
  nmi(): void;
  /** Whether a pin asks for an interrupt of the 8259 pair may have changed. */
  externalChanged(): void;
}

export interface LocalVectorTableState {
  entries: Record<number, number>;
  pins: [boolean, boolean];
}

const plain = apicLvt.vectorMask | apicLvt.masked;
const withMode = plain | apicLvt.deliveryModeMask;
const pin = withMode | apicLvt.activeLow | apicLvt.levelTriggered;

/** Offset of each entry, and the bits that software can write. */
const writableBits: ReadonlyMap<number, number> = new Map([
  [apicRegister.lvtTimer, plain | apicLvt.timerModeMask],
  [apicRegister.lvtThermal, withMode],
  [apicRegister.lvtPerformance, withMode],
  [apicRegister.lvtLint0, pin],
  [apicRegister.lvtLint1, pin],
  [apicRegister.lvtError, plain],
]);

const pinRegisters = [apicRegister.lvtLint0, apicRegister.lvtLint1] as const;
export type LintPin = 0 | 1;

const modeOf = (entry: number): number => (entry & apicLvt.deliveryModeMask) >>> apicLvt.deliveryModeShift;

export class LocalVectorTable {
  readonly #sink: LocalInterruptSink;
  readonly #entries = new Map<number, number>();
  #pins: [boolean, boolean] = [false, false];

  constructor(sink: LocalInterruptSink) {
    this.#sink = sink;
    this.reset();
  }

  /** Masks everything; the pins' levels are outside and stay. */
  reset(): void {
    for (const register of writableBits.keys()) this.#entries.set(register, apicLvt.masked);
  }

  static isEntry(register: number): boolean {
    return writableBits.has(register);
  }

  /** Bits of the entry that WRMSR may have set: writable ones and the read-only status bits 12 and 14. */
  static allowedBits(register: number): number {
    return (writableBits.get(register) ?? 0) | (1 << 12) | apicLvt.remoteIrr;
  }

  read(register: number): number {
    return this.#entries.get(register) ?? 0;
  }

  /** Writes an entry; while the APIC is disabled by software (`forceMasked`), the mask bit cannot be cleared. */
  write(register: number, value: number, forceMasked: boolean): void {
    const writable = writableBits.get(register) ?? 0;
    let entry = (value & writable) | (forceMasked ? apicLvt.masked : 0);
    // Remote IRR means nothing to an edge, and an entry that becomes one forgets it.
    if ((entry & apicLvt.levelTriggered) !== 0) entry |= this.read(register) & apicLvt.remoteIrr;
    this.#entries.set(register, entry);
    const index = (pinRegisters as readonly number[]).indexOf(register);
    if (index >= 0) this.#levelCheck(index as LintPin);
    this.#sink.externalChanged();
  }

  /** Software disable sets every mask bit. SDM Vol. 3A 12.4.7.2. */
  maskAll(): void {
    for (const [register, entry] of this.#entries) this.#entries.set(register, entry | apicLvt.masked);
    this.#sink.externalChanged();
  }

  /** Raises the interrupt of a source inside the processor. @returns whether it was not masked. */
  raise(register: number): boolean {
    const entry = this.read(register);
    if ((entry & apicLvt.masked) !== 0) return false;
    // Counter overflow masks its entry, so that it does not fire again until software says so. SDM Vol. 3A 12.5.1.
    if (register === apicRegister.lvtPerformance) this.#entries.set(register, entry | apicLvt.masked);
    const hasMode = ((writableBits.get(register) ?? 0) & apicLvt.deliveryModeMask) !== 0;
    this.#deliver(entry, hasMode ? modeOf(entry) : deliveryMode.fixed, false);
    return true;
  }

  pinLevel(index: LintPin): boolean {
    return this.#pins[index];
  }

  setPin(index: LintPin, level: boolean): void {
    const entry = this.read(pinRegisters[index]);
    const rising = level && !this.#pins[index];
    this.#pins[index] = level;
    if ((entry & apicLvt.levelTriggered) !== 0 && modeOf(entry) === deliveryMode.fixed) this.#levelCheck(index);
    else if (rising && (entry & apicLvt.masked) === 0) this.#deliver(entry, modeOf(entry), false);
    this.#sink.externalChanged();
  }

  /** Whether a pin in ExtINT mode is asserted: the processor is to fetch a vector from the 8259 pair. */
  externalRequested(): boolean {
    return ([0, 1] as const).some((index) => {
      const entry = this.read(pinRegisters[index]);
      return this.#pins[index] && (entry & apicLvt.masked) === 0 && modeOf(entry) === deliveryMode.externalInterrupt;
    });
  }

  /** Level-triggered pins with this vector may interrupt again; one that is still asserted does. */
  endOfInterrupt(vector: number): void {
    for (const index of [0, 1] as const) {
      const entry = this.read(pinRegisters[index]);
      if ((entry & apicLvt.remoteIrr) === 0 || (entry & apicLvt.vectorMask) !== vector) continue;
      this.#entries.set(pinRegisters[index], entry & ~apicLvt.remoteIrr);
      this.#levelCheck(index);
    }
  }

  save(): LocalVectorTableState {
    return { entries: Object.fromEntries(this.#entries), pins: [...this.#pins] };
  }

  restore(state: LocalVectorTableState): void {
    for (const register of writableBits.keys()) {
      this.#entries.set(register, state.entries[register] ?? apicLvt.masked);
    }
    this.#pins = [...state.pins];
  }

  #levelCheck(index: LintPin): void {
    const register = pinRegisters[index];
    const entry = this.read(register);
    const blocked = (entry & (apicLvt.masked | apicLvt.remoteIrr)) !== 0;
    if (blocked || !this.#pins[index] || (entry & apicLvt.levelTriggered) === 0) return;
    if (modeOf(entry) !== deliveryMode.fixed) return;
    this.#entries.set(register, entry | apicLvt.remoteIrr);
    this.#deliver(entry, deliveryMode.fixed, true);
  }

  /** ExtINT is a level that `externalRequested` reports; SMI and INIT from a pin do not exist on this board. */
  #deliver(entry: number, mode: number, levelTriggered: boolean): void {
    if (mode === deliveryMode.fixed) this.#sink.fixed(entry & apicLvt.vectorMask, levelTriggered);
    else if (mode === deliveryMode.nmi) this.#sink.nmi();
  }
}
