/** One virtual CPU: state, slow paths and the run loop around the interpreter. */
import type { PortBus } from '../device-model/port-io.ts';
import { type GuestMemory, pageSize } from '../memory/guest-memory.ts';
import { eflags } from '../spec/x86/registers.ts';
import { CodeRunner } from './code-runner.ts';
import { hostCalls } from './emit/host-calls.ts';
import { DebugUnit } from './events/debug.ts';
import { deliverDue } from './events/due.ts';
import { deliverEvent } from './events/pending.ts';
import { RecordedFault } from './events/recorded-fault.ts';
import { noExits } from './exit-counts.ts';
import { Fetcher } from './fetch.ts';
import { createInterpreter, type Interpreter } from './interpret/interpreter.ts';
import { regionAccess, stackAccess } from './interpret/interpreter-ops.ts';
import { record } from './interpret/record.ts';
import { status } from './interpret/status.ts';
import { Mmu } from './mmu/mmu.ts';
import { openForWrites } from './mmu/open-page.ts';
import { ModeTracker } from './mode.ts';
import type { InterruptSource, MsrSpace, Processor } from './processor.ts';
import { processorStatistics } from './processor-statistics.ts';
import { resetState } from './reset.ts';
import { semantics } from './semantics/index.ts';
import { type Bus, soloBus } from './smp/bus-module.ts';
import { joinSiblings } from './smp/join-siblings.ts';
import type { Siblings } from './smp/siblings.ts';
import { CpuState } from './state/cpu-state.ts';
import { engine, segmentIndex, shadowBit, state } from './state/layout.ts';
import { createVcpuMemory } from './state/vcpu-memory.ts';
import type { CpuModel } from './system/cpu-model.ts';
import { hostCallTable } from './system/host-calls.ts';
import { MsrFile } from './system/msrs.ts';
import { type Topology, uniprocessor } from './system/topology.ts';
import type { TranslatorStatistics } from './translate/translator-statistics.ts';
import type { VcpuOptions } from './vcpu-options.ts';

/** Why `run` came back. */
export type VcpuExit = 'budget' | 'halt' | 'shutdown';

/** Slow paths between two looks at the clock, which itself takes as long as one. */
const slowPathsPerLook = 32;

const accessKinds = ['read', 'readForWrite', 'write'] as const;

export class Vcpu implements Processor {
  readonly state: CpuState;
  readonly mmu: Mmu;
  readonly memory: GuestMemory;
  readonly ports: PortBus;
  readonly interrupts: InterruptSource;
  readonly externalMsrs: MsrSpace;
  readonly model: CpuModel;
  readonly msrs = new MsrFile();
  readonly debug = new DebugUnit();
  readonly apicId: number;
  readonly siblings: Siblings | undefined;
  readonly #bus: Bus;
  readonly topology: Topology;
  tscAdjust = 0n;
  /** HLT was executed and no event has ended it yet. */
  halted = false;
  nmiPending = false;
  /** Instructions retired since creation. */
  instructions = 0;
  readonly #view: DataView;
  readonly #nowNs: () => number;
  readonly #random: () => bigint;
  readonly #interrupted: () => boolean;
  readonly #countsLookups: boolean;
  readonly #request: Int32Array<SharedArrayBuffer>;
  readonly tscChanged: () => void;
  readonly #interpreter: Interpreter;
  readonly #runner: CodeRunner;
  readonly #fault: RecordedFault;
  readonly #mode: ModeTracker;
  readonly #calls = hostCalls.map((name) => hostCallTable[name]);
  #untilNs = Number.POSITIVE_INFINITY;
  #slowPaths = 0;
  readonly #exits = noExits();
  /** The record whose slow path runs. */
  #record = 0;

  constructor(options: VcpuOptions) {
    const vcpuMemory = options.ownMemory ?? createVcpuMemory();
    const { buffer } = vcpuMemory;
    this.memory = options.memory;
    this.ports = options.ports;
    this.interrupts = options.interrupts;
    this.externalMsrs = options.externalMsrs;
    this.model = options.model;
    this.apicId = options.apicId;
    this.siblings = options.siblings;
    this.#bus = options.siblings?.bus ?? soloBus;
    this.topology = options.topology ?? uniprocessor;
    this.#nowNs = options.nowNs;
    this.#random = options.random;
    this.tscChanged = options.tscChanged;
    this.#interrupted = options.interrupted ?? (() => false);
    this.#countsLookups = options.countsLookups ?? false;
    this.#request = new Int32Array(buffer, state.request, 1);
    this.#view = new DataView(buffer);
    this.#fault = new RecordedFault(this.#view);
    this.state = new CpuState(buffer);
    this.mmu = new Mmu(buffer, options.memory, options.mmio);
    this.#mode = new ModeTracker(this);
    this.#interpreter = createInterpreter({
      vcpuMemory,
      memory: options.memory,
      semantics,
      features: options.model.features,
      imports: {
        accessSlow: (kind, bytes) => this.#accessSlow(kind, bytes),
        openForWrites: (bytes) => openForWrites(this.mmu, options.memory, this.#view, bytes),
        written: (at, bytes) => options.memory.written(at >>> 0, bytes),
        host: (at, call) => this.#hostCall(at, call),
        bus: this.#bus,
      },
      prepared: options.interpreter,
      translation: options.translation,
      nowMs: () => options.nowNs() / 1e6,
      codeCacheBytes: options.codeCacheBytes,
      leavesOnMiss: options.translates !== 'staying',
      atomic: options.siblings !== undefined,
      coresTaken: options.coresTaken,
      countsLookups: this.#countsLookups,
      onNewCodePage: (ramPage, writers) => {
        this.#protect(ramPage);
        if (writers !== 0) this.siblings?.protect(ramPage, writers);
      },
    });
    const { moves, code, translator } = this.#interpreter;
    const holdsCode = (at: number, bytes: number): boolean => code.holds(at, bytes) || translator.holds(at, bytes);
    this.mmu.attach(moves, this.siblings !== undefined, holdsCode);
    if (this.siblings !== undefined) joinSiblings(this.siblings, { memory: this.memory, tlb: this.mmu.tlb, code });
    this.#runner = new CodeRunner({
      cpu: this,
      interpreter: this.#interpreter,
      fetcher: new Fetcher(this.#view, options.memory, options.mmio, this.mmu, this.#interpreter),
      fault: this.#fault,
      mode: this.#mode,
      translates: options.translates,
      exits: this.#exits,
    });
    this.reset();
  }

  #protect(ramPage: number): void {
    if (this.memory.users.releaseWrite(ramPage)) this.mmu.tlb.protectRamPage(ramPage * pageSize);
  }

  get translatorStatistics(): Readonly<TranslatorStatistics> {
    return this.#interpreter.translator.statistics;
  }

  /** Counts for people, named with their units. */
  statistics(): Readonly<Record<string, number>> {
    const { instructions, translatorStatistics: translator } = this;
    const counted = { view: this.#view, instructions, translator, exits: this.#exits, lookups: this.#countsLookups };
    return { ...processorStatistics(counted), ...this.#runner.statistics() };
  }

  /** Records of decoded instructions that there are, about. */
  get records(): number {
    return this.#interpreter.code.records;
  }

  /** Forgets what was decoded; regions stay. Not while it runs. @returns bytes of its memory that hold nothing now: from, to */
  forgetRecords(): readonly (readonly [number, number])[] {
    this.#interpreter.translator.forgetRecords();
    return this.#interpreter.code.unused;
  }

  /** Whether translated code ran last. */
  get ranTranslated(): boolean {
    return this.#view.getInt32(engine.translated, true) !== 0;
  }

  /** Power-on state. SDM Vol. 3A table 9-1. */
  reset(): void {
    this.tscAdjust = 0n;
    this.halted = false;
    this.nmiPending = false;
    this.msrs.reset();
    resetState(this.state);
    this.debug.refresh(this);
    this.flushTlb('all');
    this.mmu.spaces.renumber();
    this.modeChanged();
  }

  /** INIT: as power-on, but the time-stamp counter goes on. SDM Vol. 3A table 9-1. */
  init(): void {
    const { tscAdjust } = this;
    this.reset();
    this.tscAdjust = tscAdjust;
  }

  readTsc(): bigint {
    return BigInt.asUintN(64, BigInt(this.#nowNs()) + this.tscAdjust);
  }

  nowNs(): number {
    return this.#nowNs();
  }

  random(): bigint {
    return this.#random();
  }

  #ipAfter(bytes: number): bigint {
    const base = this.#view.getBigInt64(state.codeBase, true);
    const ip = base + BigInt(this.#view.getUint16(this.#record + record.pageOffset, true) + bytes);
    return BigInt.asUintN(this.state.code64 ? 64 : 32, ip);
  }

  currentRip(): bigint {
    return this.#ipAfter(0);
  }

  nextRip(): bigint {
    return this.#ipAfter(this.#view.getUint8(this.#record + record.length));
  }

  leave(): number {
    // CS may just have changed size (CR0.PE, CR0.PG): the instruction that did it was decoded in the old mode.
    this.state.rip = this.nextRip();
    return status.changed;
  }

  modeChanged(): void {
    this.#mode.update();
  }

  flushTlb(scope: 'all' | 'non-global'): void {
    if (scope === 'all') this.mmu.spaces.flushAll();
    else this.mmu.spaces.flushNonGlobal();
  }

  flushPage(linear: number): void {
    if (this.mmu.tlb.inLargePage(linear)) {
      this.flushTlb('all');
      return;
    }
    this.mmu.tlb.flushPage(linear);
    this.mmu.codeTlb.flushPage(linear);
  }

  /** Opens or shuts the A20 gate. */
  setA20(open: boolean): void {
    this.mmu.walker.paging.a20Mask = open ? -1 : ~0x10_0000;
    this.mmu.pagingChanged();
    this.flushTlb('all');
  }

  /** A non-maskable interrupt. */
  signalNmi(): void {
    this.nmiPending = true;
    this.kick();
  }

  /** Ends the running slice at the next control transfer: an interrupt may have become deliverable. */
  kick(): void {
    Atomics.store(this.#request, 0, -1);
  }

  #accessSlow(kind: number, bytes: number): number {
    this.#exits.tlbMisses++;
    this.#lookAtClock();
    try {
      const stack = (bytes & stackAccess) !== 0;
      const inRegion = (bytes & regionAccess) !== 0;
      const access = accessKinds[kind] as (typeof accessKinds)[number];
      return this.mmu.accessSlow(access, bytes & (stackAccess - 1), stack, inRegion);
    } catch (fault) {
      return this.#fault.note(fault);
    }
  }

  #hostCall(at: number, call: number): number {
    this.#exits.slowInstructions++;
    this.#record = at;
    this.#lookAtClock();
    try {
      return (this.#calls[call] as (cpu: Processor) => number)(this);
    } catch (fault) {
      return this.#fault.note(fault);
    }
  }

  /** Takes from the budget what is no instruction. */
  #charge(cost: number): void {
    this.#view.setInt32(state.budget, this.#view.getInt32(state.budget, true) - cost, true);
    this.#view.setInt32(state.extraCost, this.#view.getInt32(state.extraCost, true) + cost, true);
  }

  /** A slow path is about to run: some take as long as thousands of instructions, and the budget counts each as one. */
  #lookAtClock(): void {
    if (++this.#slowPaths % slowPathsPerLook === 0 && this.#nowNs() >= this.#untilNs) this.kick();
  }

  /** Runs up to about `budget` instructions, or until about `untilNs` where slow paths take longer than that. */
  run(budget: number, untilNs = Number.POSITIVE_INFINITY): VcpuExit {
    this.#untilNs = untilNs;
    this.#view.setInt32(state.budget, budget, true);
    this.#view.setInt32(state.extraCost, 0, true);
    const { siblings } = this;
    siblings?.enter();
    Atomics.store(this.#request, 0, 0);
    // Another thread notes what it wants, then kicks: a kick that was just wiped out is noticed here.
    const exit = this.#interrupted() || siblings?.attention === true ? 'budget' : this.#loop();
    siblings?.leave();
    this.#runner.translate();
    const spent = budget - this.#view.getInt32(state.budget, true);
    this.instructions += spent - this.#view.getInt32(state.extraCost, true);
    return exit;
  }

  #loop(): VcpuExit {
    for (;;) {
      if (!deliverDue(this)) return 'shutdown';
      if (this.halted) return 'halt';
      const step = this.#mode.current.step;
      let result = step ? this.#step() : this.#runner.run();
      this.#runner.settleFlags();
      if (result === status.hot) {
        this.#exits.hotReports++;
        result = this.#runner.noteHot();
      }
      switch (result) {
        case status.budget:
          break;
        case status.halt:
          this.halted = true;
          break;
        case status.fault:
          this.#exits.faults++;
          this.siblings?.resumeOthers();
          if (!this.#raiseRecorded()) return 'shutdown';
          // Handlers that fault at once, for ever, would never come to an end of the slice.
          this.#charge(1);
          break;
        case status.changed:
          this.#exits.modeChanges++;
          this.#charge(1); // Nor would an INT1 that is its own handler.
          break;
        case status.shutdown:
          return 'shutdown';
        default:
          break;
      }
      if (this.#mustEnd()) return 'budget';
    }
  }

  #mustEnd(): boolean {
    if (this.#view.getInt32(state.budget, true) < 0) return true;
    return this.#view.getInt32(state.request, true) < 0 && this.#bus.stepAside() === 0;
  }

  #raiseRecorded(): boolean {
    const { vector, errorCode, source, exact } = this.#fault.take();
    if (!exact) {
      this.#record = this.#view.getInt32(state.record, true);
      this.state.rip = this.currentRip();
    }
    this.debug.pending = 0;
    const { rip } = this.state;
    return deliverEvent(this, { vector, errorCode, source, returnRip: rip }, rip);
  }

  /** One instruction, with what surrounds it: breakpoints before, shadows and traps after. */
  #step(): number {
    const cpu = this.state;
    const shadow = cpu.shadow & (shadowBit.sti | shadowBit.movSs);
    const traps = cpu.flag(eflags.tf);
    if (this.debug.watchesInstructions && (shadow & shadowBit.movSs) === 0) {
      try {
        const linear = BigInt.asUintN(
          cpu.code64 ? 64 : 32,
          cpu.rip + (cpu.code64 ? 0n : cpu.segmentBase(segmentIndex.cs)),
        );
        this.debug.checkInstruction(this, linear);
      } catch (fault) {
        return this.#fault.noteExact(fault);
      }
    }
    // RF counts for this instruction, all rounds of it; what the instruction itself loads counts for the next one.
    const resumed = cpu.flag(eflags.rf);
    if (resumed) cpu.setFlag(eflags.rf, false);
    this.debug.handlerEntered = false;
    const result = this.#runner.run();
    if (result === status.fault) return result;
    if (resumed && cpu.midRepeat) cpu.setFlag(eflags.rf, true);
    cpu.shadow &= ~shadow;
    this.#mode.update();
    const trapped = traps && !this.debug.handlerEntered;
    if (trapped && (cpu.shadow & shadowBit.movSs) === 0) this.debug.pending |= 0x4000;
    return result;
  }
}
