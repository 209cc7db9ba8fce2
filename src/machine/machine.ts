/** Builds a machine in memory that is there already: processor, board, a guest. */
import { cpuModelNames, findCpuModel } from '../cpu/system/cpu-model.ts';
import { KvmClock } from '../cpu/system/kvm-clock.ts';
import { uniprocessor } from '../cpu/system/topology.ts';
import { Vcpu } from '../cpu/vcpu.ts';
import { TimerQueue } from '../device-model/time.ts';
import { Attention } from '../devices/virtio/mailbox.ts';
import { CodeWriteReader } from '../memory/code-writes.ts';
import { fail, ok } from '../support/result.ts';
import type { WasmMemory } from '../wasm/webassembly.ts';
import { ApplicationProcessor } from './application-processor.ts';
import { Board, boardFacts } from './board.ts';
import { boot } from './boot.ts';
import type { CreateMachine, CreateProcessor, MachineConfig, MachineHost } from './config.ts';
import { GuestClock } from './guest-clock.ts';
import { idleThrift } from './idle-thrift.ts';
import { interruptSource, ProcessorSocket } from './interrupts.ts';
import { IoEvents } from './io-events.ts';
import { LastWords } from './last-words.ts';
import { boardMsrs } from './msrs.ts';
import { Profile } from './profile.ts';
import { RemoteIoService } from './remote-io.ts';
import { RunLoop } from './run-loop.ts';
import { SerialPump } from './serial.ts';
import { openMemory, type SharedMachine } from './shared-machine.ts';
import { createSiblings, processorWaker } from './siblings.ts';
import { translation } from './translation.ts';

type Model = NonNullable<ReturnType<typeof findCpuModel>>;

export const createMachine: CreateMachine = (config, shared, host) => {
  const model = findCpuModel(config.cpuModel);
  if (model === undefined) {
    const names = cpuModelNames.join(', ');
    return fail('configuration', `There is no processor model ${config.cpuModel}; there are ${names}.`);
  }
  return assemble(config, shared, host, model);
};

function assemble(
  config: MachineConfig,
  shared: SharedMachine,
  host: MachineHost,
  model: Model,
): ReturnType<CreateMachine> {
  const topology = config.topology ?? uniprocessor;
  const memory = openMemory(shared, 0);
  const wake = processorWaker(shared, host);
  const clock = new GuestClock(shared.clock, () => host.nowNs(), config.accel);
  clock.begin();
  const wallClockMs = (): number => host.wallClockMs();
  const serial = new SerialPump(host);
  const socket = new ProcessorSocket();
  // The loop stands on everything else: what reaches it earlier is of no concern to it.
  let loop: RunLoop | undefined;
  const timers = new TimerQueue(clock, (deadlineNs) => loop?.timerArmed(deadlineNs));
  const board = new Board({
    memory,
    timers,
    wallClockMs,
    processor: socket,
    transmit: (port, byte) => serial.transmit(port, byte),
    receiveReady: () => loop?.receiveReady(),
    requestEnd: (request) => loop?.requestEnd(request),
    debugExit: config.debugExit,
    virtio: { devices: shared.virtio, mailboxes: shared.mailboxes, wakeIo: () => host.wakeIo() },
    apics: { mail: shared.apicMail, processor: 0, kick: wake },
  });
  const remote = new RemoteIoService(shared.remoteIo, shared.processors.length, {
    ports: board.ports,
    mmio: board.mmio,
    died: (processor) => loop?.processorDied(processor),
  });
  const io = new IoEvents({
    memory,
    attention: new Attention(shared.mailboxes, 'machine'),
    codeWrites: new CodeWriteReader(shared.codeWrites, boardFacts.bootApicId),
    devices: board.virtio,
  });
  // A locked instruction on a device: its processor has stopped the others, and needs the board.
  const serve = (): void => {
    board.localApic.takeMail();
    remote.serve();
  };
  const siblings =
    shared.processors.length > 1 ? createSiblings({ shared, host, memory, processor: 0, serve }) : undefined;
  const others =
    siblings === undefined
      ? undefined
      : {
          halt: () => siblings.haltOthers(),
          goOn: () => {
            siblings.resumeOthers();
            for (const processor of shared.processors.keys()) wake(processor);
          },
        };
  const nowNs = (): number => clock.nowNs();
  const kvmClock = new KvmClock(memory, { tscAdjust: () => vcpu.tscAdjust, nowNs, wallClockMs }, shared.kvmClocks, 0);
  const ownMemory = shared.processors[0] as WasmMemory;
  const vcpu: Vcpu = new Vcpu({
    memory,
    mmio: board.processorMmio,
    ports: board.ports,
    interrupts: interruptSource(board.localApic),
    externalMsrs: boardMsrs(board.localApic, kvmClock),
    model,
    apicId: boardFacts.bootApicId,
    topology,
    translates: translation[config.accel],
    interpreter: host.interpreter?.(),
    translation: host.translation,
    codeCacheBytes: config.codeCacheBytes,
    countsLookups: config.countsTlbHits,
    nowNs,
    tscChanged: () => {
      board.localApic.tscChanged();
      kvmClock.tscChanged();
    },
    random: () => host.random64(),
    ownMemory,
    siblings,
    coresTaken: () => siblings?.coresTaken ?? host.cores === 1,
    interrupted: () => io.waiting || remote.waiting || board.localApic.hasMail,
  });
  socket.insert(vcpu);
  const hardware = { host, memory, board, vcpu, processorName: model.name, topology, uuid: randomUuid(host) };
  const booted = boot(hardware, config.boot);
  if (!booted.ok) return booted;
  loop = new RunLoop({
    host,
    clock,
    board,
    vcpu,
    timers,
    serial,
    io,
    remote,
    others,
    lastWords: new LastWords(shared.lastWords),
    profile: config.profile ? new Profile() : undefined,
    thrift: idleThrift(config, host, vcpu, ownMemory),
  });
  return ok(loop);
}

/** A processor beyond the first; its model is known to exist. */
export const createProcessor: CreateProcessor = (config, shared, host, processor) =>
  new ApplicationProcessor({
    config,
    shared,
    host,
    processor,
    model: findCpuModel(config.cpuModel) as Model,
  });

/** Version 4. RFC 9562 5.4. */
function randomUuid(host: MachineHost): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, host.random64());
  view.setBigUint64(8, host.random64());
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x40);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  return bytes;
}
