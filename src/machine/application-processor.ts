/**
 * A processor beyond the first, on a thread of its own: its core, its local APIC with timer, and the way to the board,
 * which is on the first one's thread. It begins by waiting for a start-up message. SDM Vol. 3A 9.4.
 */

import { segmentIndex } from '../cpu/state/layout.ts';
import type { CpuModel } from '../cpu/system/cpu-model.ts';
import { KvmClock } from '../cpu/system/kvm-clock.ts';
import { uniprocessor } from '../cpu/system/topology.ts';
import { Vcpu } from '../cpu/vcpu.ts';
import { TimerQueue } from '../device-model/time.ts';
import { ApicBus } from '../devices/apic/apic-bus.ts';
import { LocalApic } from '../devices/apic/local-apic.ts';
import { connectApics } from '../devices/apic/remote-apic.ts';
import { Doorbells } from '../devices/virtio/doorbells.ts';
import { CodeWriteReader } from '../memory/code-writes.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import { physicalAddressBits } from '../spec/x86/paging.ts';
import type { WasmMemory } from '../wasm/webassembly.ts';
import type { FurtherProcessor, MachineConfig, ProcessorHost, Statistics } from './config.ts';
import { describeCrash } from './crash-report.ts';
import { GuestClock } from './guest-clock.ts';
import { type IdleThrift, idleThrift } from './idle-thrift.ts';
import { interruptSource, ProcessorSocket } from './interrupts.ts';
import { LastWords } from './last-words.ts';
import { boardMsrs } from './msrs.ts';
import { ProcessorMmio } from './processor-mmio.ts';
import { RemoteIo } from './remote-io.ts';
import { openMemory, type SharedMachine } from './shared-machine.ts';
import { createSiblings, processorWaker } from './siblings.ts';
import { Slices } from './slices.ts';
import { translation } from './translation.ts';

export interface ApplicationProcessorParts {
  readonly config: MachineConfig;
  readonly shared: SharedMachine;
  readonly host: ProcessorHost;
  readonly model: CpuModel;
  /** From 1 on. */
  readonly processor: number;
}

export class ApplicationProcessor implements FurtherProcessor {
  readonly #host: ProcessorHost;
  readonly #clock: GuestClock;
  readonly #memory: GuestMemory;
  readonly #vcpu: Vcpu;
  readonly #timers: TimerQueue;
  readonly #slices: Slices;
  readonly #apic: LocalApic;
  readonly #mmio: ProcessorMmio;
  readonly #remote: RemoteIo;
  readonly #codeWrites: CodeWriteReader;
  readonly #thrift: IdleThrift | undefined;
  readonly #die: () => void;
  /** INIT has come, or nothing yet. */
  #waitsForStartUp = true;

  constructor({ config, shared, host, model, processor }: ApplicationProcessorParts) {
    const memory = openMemory(shared, processor);
    const siblings = createSiblings({ shared, host, memory, processor });
    const wake = processorWaker(shared, host);
    this.#clock = new GuestClock(shared.clock, () => host.nowNs(), config.accel);
    const socket = new ProcessorSocket();
    const apicId = shared.apicIds[processor] as number;
    this.#host = host;
    this.#memory = memory;
    this.#codeWrites = new CodeWriteReader(shared.codeWrites, processor);
    this.#timers = new TimerQueue(this.#clock, (deadlineNs) => this.#slices.timerArmed(deadlineNs));
    const doorbells = new Doorbells(shared.mailboxes, shared.virtio, () => host.wakeIo());
    this.#remote = new RemoteIo(shared.remoteIo, processor, {
      wake: () => {
        wake(0);
        siblings.nudge();
      },
      block: (wait) => siblings.block(wait),
      ring: (address) => doorbells.ring(address),
      stopping: () => host.stopRequested(),
    });
    this.#die = () => {
      new LastWords(shared.lastWords).write(processor, describeCrash(this.#vcpu));
      this.#remote.died();
    };
    const bus = new ApicBus();
    this.#apic = connectApics(bus, { mail: shared.apicMail, processor, kick: wake }, (box) =>
      this.#createApic(socket, bus, apicId, box),
    );
    const mmio = new ProcessorMmio(this.#remote.mmio, this.#apic);
    this.#mmio = mmio;
    const time = {
      tscAdjust: () => this.#vcpu.tscAdjust,
      nowNs: () => this.#clock.nowNs(),
      wallClockMs: () => host.wallClockMs(),
    };
    const kvmClock = new KvmClock(memory, time, shared.kvmClocks, processor);
    const ownMemory = shared.processors[processor] as WasmMemory;
    this.#vcpu = new Vcpu({
      memory,
      mmio,
      ports: this.#remote.ports,
      interrupts: interruptSource(this.#apic),
      externalMsrs: boardMsrs(this.#apic, kvmClock),
      model,
      apicId,
      topology: config.topology ?? uniprocessor,
      translates: translation[config.accel],
      interpreter: host.interpreter?.(),
      translation: host.translation,
      codeCacheBytes: config.codeCacheBytes,
      countsLookups: config.countsTlbHits,
      nowNs: () => this.#clock.nowNs(),
      tscChanged: () => {
        this.#apic.tscChanged();
        kvmClock.tscChanged();
      },
      random: () => host.random64(),
      ownMemory,
      siblings,
      coresTaken: () => siblings.coresTaken,
      interrupted: () => this.#apic.hasMail || this.#codeWrites.waiting || this.#clock.stopped || host.stopRequested(),
    });
    this.#slices = new Slices(this.#vcpu, this.#timers, this.#clock);
    this.#thrift = idleThrift(config, host, this.#vcpu, ownMemory);
    socket.insert(this.#vcpu);
  }

  #createApic(
    socket: ProcessorSocket,
    bus: ApicBus,
    id: number,
    box: ConstructorParameters<typeof LocalApic>[0]['box'],
  ): LocalApic {
    return new LocalApic({
      id,
      bootstrapProcessor: false,
      physicalAddressBits,
      bus,
      timers: this.#timers,
      tscToNs: (tsc) => socket.tscToNs(tsc),
      box,
      processor: {
        changed: () => socket.interruptChanged(),
        nmi: () => socket.nmi(),
        init: () => {
          this.#vcpu.init();
          this.#waitsForStartUp = true;
        },
        startUp: (vector) => this.#startUp(vector),
        // The 8259 pair reaches the first processor alone.
        externalVector: () => 0,
        mmioMoved: () => this.#mmio.apicMoved(),
      },
    });
  }

  /** SIPI: real mode at `vector << 12`. SDM Vol. 3A 9.4.4.1. */
  #startUp(vector: number): void {
    if (!this.#waitsForStartUp) return;
    this.#waitsForStartUp = false;
    const { state } = this.#vcpu;
    state.setSegment(segmentIndex.cs, {
      selector: vector << 8,
      base: BigInt(vector << 12),
      limit: 0xffff,
      attributes: 0x9b,
    });
    state.rip = 0n;
    this.#vcpu.flushTlb('all');
    this.#vcpu.modeChanged();
  }

  /** Runs until the machine comes to its end. */
  run(): void {
    const host = this.#host;
    while (!host.stopRequested()) {
      if (this.#clock.stopped) {
        host.sleep(Number.POSITIVE_INFINITY);
        continue;
      }
      const served = this.#serve();
      if (this.#waitsForStartUp) {
        if (!served) host.sleep(Number.POSITIVE_INFINITY);
        continue;
      }
      if (host.standBack() > 0) continue;
      const exit = this.#slices.run();
      if (exit === 'shutdown') {
        this.#die();
        this.#waitsForStartUp = true;
      } else if (exit === 'halt' && !this.#serve()) this.#idle();
    }
  }

  statistics(): Statistics {
    return {
      instructions: this.#vcpu.instructions,
      runSeconds: this.#slices.runNs / 1e9,
      ...this.#vcpu.statistics(),
    };
  }

  /** @returns whether anything happened that may wake the guest */
  #serve(): boolean {
    const timers = this.#timers;
    const due = timers.nextDeadlineNs() <= timers.nowNs();
    if (due) timers.runExpired();
    this.#codeWrites.serve((offset, length) => this.#memory.dropCode(offset, length));
    return this.#apic.takeMail() || due;
  }

  #idle(): void {
    const waitNs = this.#timers.nextDeadlineNs() - this.#timers.nowNs();
    if (waitNs > 0) this.#host.sleep(this.#clock.hostSpan(waitNs));
    this.#thrift?.halted(this.#timers.nowNs(), this.#slices.runNs);
  }
}
