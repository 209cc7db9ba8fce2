/**
 * The local APIC of one processor: xAPIC (memory-mapped) and x2APIC (MSRs). SDM Vol. 3A chapter 12.
 * Its wires (LINT pins, IrqLine) say "asserted"; the polarity bits of the LVT are kept but turn nothing around.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { MmioHandler } from '../../device-model/mmio.ts';
import type { AccessSize } from '../../device-model/port-io.ts';
import {
  apicBase,
  apicDestinationFormat,
  apicError,
  apicLvt,
  apicRegister,
  apicSpurious,
  apicVersionValue,
  deliveryMode,
  firstLegalVector,
} from '../../spec/x86/apic.ts';
import { isLegalBase } from './apic-base.ts';
import type { ApicAgent, ApicBus } from './apic-bus.ts';
import { type ApicBox, apicFlag, type MailReceiver } from './apic-mail.ts';
import { ApicTimer } from './apic-timer.ts';
import { ErrorStatus } from './error-status.ts';
import { type CommandSender, sendCommand, sendSelf } from './interrupt-command.ts';
import type { InterruptMessage } from './interrupt-message.ts';
import { InterruptQueue } from './interrupt-queue.ts';
import {
  type ApicProcessor,
  type LocalApicRegisters,
  type LocalApicState,
  type LocalApicWiring,
  plainRegister,
  powerOnRegisters,
} from './local-apic-wiring.ts';
import { type LintPin, LocalVectorTable } from './local-vector-table.ts';
import { matchesDestination, x2apicLogicalId } from './logical-destination.ts';
import { mailReceiver } from './mail-delivery.ts';

export class LocalApic implements Device<LocalApicState>, MmioHandler, ApicAgent, CommandSender {
  readonly id: number;
  readonly bus: ApicBus;
  /** The pins: LINT0 carries INTR of the 8259 pair, LINT1 the board's NMI. */
  readonly lint0: IrqLine = { set: (level) => this.#setPin(0, level) };
  readonly lint1: IrqLine = { set: (level) => this.#setPin(1, level) };
  readonly #wiring: LocalApicWiring;
  readonly #processor: ApicProcessor;
  readonly #box: ApicBox | undefined;
  readonly #receiver: MailReceiver;
  readonly #queue = new InterruptQueue();
  readonly #table: LocalVectorTable;
  readonly #timer: ApicTimer;
  readonly #error = new ErrorStatus(() => this.#table.raise(apicRegister.lvtError));

  #base = 0n;
  #registers: LocalApicRegisters = powerOnRegisters();

  /** Caches of what the processor asks after every exit. */
  #external = false;
  #ready = false;

  constructor(wiring: LocalApicWiring) {
    this.id = wiring.id;
    this.bus = wiring.bus;
    this.#wiring = wiring;
    this.#processor = wiring.processor;
    this.#box = wiring.box;
    this.#receiver = mailReceiver(this, wiring.bus);
    this.#table = new LocalVectorTable({
      fixed: (vector, levelTriggered) => this.#acceptFixed(vector, levelTriggered),
      nmi: () => this.#processor.nmi(),
      externalChanged: () => this.#update(),
    });
    this.#timer = new ApicTimer({
      timers: wiring.timers,
      name: `local APIC ${wiring.id}`,
      tscToNs: wiring.tscToNs,
      expire: () => this.#table.raise(apicRegister.lvtTimer),
    });
    wiring.bus.attach(this);
    this.#base = this.#resetBase();
  }

  // ---- What the processor asks ----

  /** Whether an interrupt waits that the processor takes as soon as it takes interrupts at all. */
  hasInterrupt(): boolean {
    return this.#ready;
  }

  /** The fixed vector that is deliverable now, considering PPR; -1 if none. ExtINT, which goes first, has none yet. */
  highestPending(): number {
    return this.enabled ? this.#queue.deliverable : -1;
  }

  /** The processor takes the interrupt. @returns its vector: from the 8259 pair, from IRR, or the spurious one. */
  acknowledge(): number {
    if (this.#external) {
      this.#registers.externalLatched = false;
      const vector = this.#processor.externalVector() & 0xff;
      this.#update();
      return vector;
    }
    const vector = this.enabled ? this.#queue.acknowledge() : -1;
    this.#update();
    return vector >= 0 ? vector : this.#registers.spurious & apicSpurious.vectorMask;
  }

  /** CR8: bits 7:4 of the task priority. SDM Vol. 3A 12.8.6. */
  get cr8(): number {
    return this.#queue.taskPriority >>> 4;
  }

  set cr8(value: number) {
    this.#queue.taskPriority = (value & 0xf) << 4;
    this.#update();
  }

  /** To be called when the guest's TSC is set, as the deadline timer counts in it. */
  tscChanged(): void {
    this.#timer.tscChanged();
  }

  /** A thermal or performance-counter event of the processor. */
  raiseLocal(source: 'thermal' | 'performance'): void {
    this.#table.raise(source === 'thermal' ? apicRegister.lvtThermal : apicRegister.lvtPerformance);
  }

  /** Whether other threads have left something for this processor (or its board) that `takeMail` is to take. */
  get hasMail(): boolean {
    return this.#box?.waiting === true;
  }

  /** Takes it, between two slices. The processor's callbacks are called meanwhile. @returns whether there was any */
  takeMail(): boolean {
    if (this.#box?.waiting !== true) return false;
    this.#box.take(this.#receiver);
    return true;
  }

  get enabled(): boolean {
    return (this.#base & apicBase.enable) !== 0n;
  }

  get x2apic(): boolean {
    return (this.#base & apicBase.extended) !== 0n;
  }

  get base(): bigint {
    return this.#base;
  }

  /** Guest-physical address of the register page; -1 while there is none (disabled or x2APIC). */
  get mmioAddress(): number {
    return this.enabled && !this.x2apic ? Number(this.#base & apicBase.addressMask) : -1;
  }

  /** WRMSR to IA32_APIC_BASE. @returns false for #GP: a reserved bit or an illegal transition. SDM Vol. 3A 12.12.5. */
  writeBase(value: bigint): boolean {
    if (!isLegalBase(this.#base, value, this.#wiring.physicalAddressBits)) return false;
    const before = this.mmioAddress;
    const wasX2apic = this.x2apic;
    this.#base = value;
    if (this.x2apic && !wasX2apic) this.#registers.commandHigh = 0;
    if (!this.enabled) this.initReset();
    this.#update();
    if (this.mmioAddress !== before) this.#processor.mmioMoved();
    return true;
  }

  // ---- Registers; the guest reaches them through the page or `apic-msr.ts` ----

  get timer(): ApicTimer {
    return this.#timer;
  }

  /** Reads a register by its xAPIC offset; undefined where there is none. IDs have the width of the current mode. */
  read32(offset: number): number | undefined {
    if (LocalVectorTable.isEntry(offset)) return this.#table.read(offset);
    switch (offset) {
      case apicRegister.id:
        return this.x2apic ? this.id : ((this.id & 0xff) << 24) >>> 0;
      case apicRegister.version:
        return apicVersionValue;
      case apicRegister.endOfInterrupt:
      case apicRegister.arbitrationPriority:
      case apicRegister.remoteRead:
        return 0;
      case apicRegister.logicalDestination:
        return this.x2apic ? x2apicLogicalId(this.id) : this.#registers.logicalDestination;
      case apicRegister.errorStatus:
        return this.#error.value;
      default:
        return plainRegister(this.#registers, offset) ?? this.#queue.read(offset) ?? this.#timer.read(offset);
    }
  }

  /** Writes a register by its xAPIC offset; reserved bits and read-only registers are ignored. */
  write32(offset: number, value: number): void {
    if (LocalVectorTable.isEntry(offset)) {
      if (offset === apicRegister.lvtTimer) {
        // What expired while the entry was masked is lost.
        this.#timer.catchUp();
        this.#timer.setMode(value & apicLvt.timerModeMask);
      }
      this.#table.write(offset, value, !this.#softwareEnabled);
      return;
    }
    switch (offset) {
      case apicRegister.taskPriority:
        this.#queue.taskPriority = value;
        this.#update();
        break;
      case apicRegister.endOfInterrupt:
        this.#endOfInterrupt();
        break;
      case apicRegister.logicalDestination:
        this.#registers.logicalDestination = (value & 0xff00_0000) >>> 0;
        this.#publish();
        break;
      case apicRegister.destinationFormat:
        this.#registers.destinationFormat = (value | ~apicDestinationFormat.writable) >>> 0;
        this.#publish();
        break;
      case apicRegister.spuriousVector:
        // Whoever sent an interrupt before this found the APIC as it was.
        this.#box?.takeFixed(this.#receiver);
        this.#registers.spurious = value & apicSpurious.writable;
        this.#publish();
        if (!this.#softwareEnabled) this.#table.maskAll();
        break;
      case apicRegister.errorStatus:
        this.#error.latch();
        break;
      case apicRegister.interruptCommandLow:
        this.#registers.commandLow = sendCommand(this, value, this.#registers.commandHigh);
        break;
      case apicRegister.interruptCommandHigh:
        this.#registers.commandHigh = (this.x2apic ? value : value & 0xff00_0000) >>> 0;
        break;
      case apicRegister.selfIpi:
        if (this.x2apic) sendSelf(this, value & 0xff);
        break;
      default:
        if (!this.#timer.write(offset, value) && this.read32(offset) === undefined)
          this.reportError(apicError.illegalRegister);
    }
  }

  /** The register page. Registers are 32 bits wide on 16-byte boundaries; the bytes between read as zero. */
  readMmio(offset: number, size: AccessSize): number {
    if (this.mmioAddress < 0) return 0xffff_ffff;
    const byte = offset & 0xf;
    const value = this.read32(offset & ~0xf);
    if (value === undefined) this.reportError(apicError.illegalRegister);
    return value === undefined || byte + size > 4 ? 0 : value >>> (byte * 8);
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (this.mmioAddress >= 0 && size === 4 && (offset & 0xf) === 0) this.write32(offset, value);
  }

  matches(message: InterruptMessage): boolean {
    if (!this.enabled) return false;
    return matchesDestination(
      message,
      this.id,
      this.x2apic,
      this.#registers.logicalDestination,
      this.#registers.destinationFormat,
    );
  }

  arbitrationPriority(): number {
    return this.enabled && this.#softwareEnabled ? this.#queue.processorPriority : -1;
  }

  accept(message: InterruptMessage): boolean {
    if (!this.enabled) return false;
    switch (message.deliveryMode) {
      case deliveryMode.fixed:
      case deliveryMode.lowestPriority:
        return this.#softwareEnabled && this.#acceptFixed(message.vector, message.levelTriggered);
      case deliveryMode.nmi:
        this.#processor.nmi();
        return true;
      case deliveryMode.init:
        if (!message.assert) return true;
        this.initReset();
        this.#processor.init();
        return true;
      case deliveryMode.startUp:
        this.#processor.startUp(message.vector);
        return true;
      case deliveryMode.externalInterrupt:
        this.#registers.externalLatched = true;
        this.#update();
        return true;
      default:
        return false;
    }
  }

  reportError(error: number): void {
    this.#error.report(error);
  }

  reset(): void {
    const before = this.mmioAddress;
    this.#base = this.#resetBase();
    this.initReset();
    if (this.mmioAddress !== before) this.#processor.mmioMoved();
  }

  /** What INIT and leaving the enabled state do: everything but IA32_APIC_BASE and the ID. SDM Vol. 3A 12.4.7.3. */
  initReset(): void {
    this.#registers = powerOnRegisters();
    this.#error.reset();
    this.#timer.reset();
    this.#queue.reset();
    this.#table.reset();
    this.#update();
  }

  save(): LocalApicState {
    return {
      base: this.#base,
      registers: { ...this.#registers },
      error: this.#error.save(),
      queue: this.#queue.save(),
      table: this.#table.save(),
      timer: this.#timer.save(),
    };
  }

  restore(state: LocalApicState): void {
    const before = this.mmioAddress;
    this.#base = state.base;
    this.#registers = { ...state.registers };
    this.#error.restore(state.error);
    this.#queue.restore(state.queue);
    this.#table.restore(state.table);
    this.#timer.restore(state.timer);
    this.#update();
    if (this.mmioAddress !== before) this.#processor.mmioMoved();
  }

  get #softwareEnabled(): boolean {
    return (this.#registers.spurious & apicSpurious.softwareEnable) !== 0;
  }

  #resetBase(): bigint {
    const bootstrap = this.#wiring.bootstrapProcessor ? apicBase.bootstrapProcessor : 0n;
    return BigInt(apicBase.defaultAddress) | apicBase.enable | bootstrap;
  }

  #acceptFixed(vector: number, levelTriggered: boolean): boolean {
    if (vector < firstLegalVector) {
      this.reportError(apicError.receivedIllegalVector);
      return false;
    }
    this.#queue.request(vector, levelTriggered);
    this.#update();
    return true;
  }

  #endOfInterrupt(): void {
    const finished = this.#queue.finish();
    if (finished?.levelTriggered === true) {
      this.#table.endOfInterrupt(finished.vector);
      if ((this.#registers.spurious & apicSpurious.suppressEoiBroadcast) === 0) this.bus.broadcastEoi(finished.vector);
    }
    this.#update();
  }

  /** With the APIC disabled, the pins are INTR and NMI of a processor without one. SDM Vol. 3A 12.4.3. */
  #setPin(index: LintPin, level: boolean): void {
    if (!this.enabled && index === 1 && level && !this.#table.pinLevel(1)) this.#processor.nmi();
    this.#table.setPin(index, level);
  }

  /** Tells the other threads what this APIC answers to. */
  #publish(): void {
    if (this.#box === undefined) return;
    const modes = (this.enabled ? apicFlag.enabled : 0) | (this.x2apic ? apicFlag.x2apic : 0);
    const flags = modes | (this.#softwareEnabled ? apicFlag.softwareEnabled : 0);
    this.#box.publish(flags, this.#queue.processorPriority, this.#registers);
  }

  #update(): void {
    this.#publish();
    this.#external = this.enabled
      ? this.#registers.externalLatched || this.#table.externalRequested()
      : this.#table.pinLevel(0);
    const ready = this.#external || (this.enabled && this.#queue.deliverable >= 0);
    if (ready === this.#ready) return;
    this.#ready = ready;
    this.#processor.changed();
  }
}
