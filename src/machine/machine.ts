/** Builds a machine: memory, processor, board, a guest in memory. */
import { cpuModelNames, findCpuModel } from '../cpu/system/cpu-model.ts';
import { KvmClock } from '../cpu/system/kvm-clock.ts';
import { Vcpu } from '../cpu/vcpu.ts';
import { TimerQueue } from '../device-model/time.ts';
import { GuestMemory } from '../memory/guest-memory.ts';
import { fail, ok, type Result } from '../support/result.ts';
import { webAssembly } from '../wasm/webassembly.ts';
import { Board, boardFacts } from './board.ts';
import { boot } from './boot.ts';
import type { CreateMachine, MachineConfig, MachineHost } from './config.ts';
import { GuestClock } from './guest-clock.ts';
import { interruptSource, ProcessorSocket } from './interrupts.ts';
import { boardMsrs } from './msrs.ts';
import { Profile } from './profile.ts';
import { RunLoop } from './run-loop.ts';
import { SerialPump } from './serial.ts';

const wasmPageBytes = 65_536;
const maxMemoryBytes = 2 ** 32;
const mebibyte = 2 ** 20;

type Model = NonNullable<ReturnType<typeof findCpuModel>>;

export const createMachine: CreateMachine = (config, host) => {
  const model = findCpuModel(config.cpuModel);
  if (model === undefined) {
    const names = cpuModelNames.join(', ');
    return fail('configuration', `There is no processor model ${config.cpuModel}; there are ${names}.`);
  }
  const memory = allocateMemory(config.memoryBytes);
  if (!memory.ok) return memory;
  return assemble(config, host, model, memory.value);
};

function allocateMemory(bytes: number): Result<GuestMemory> {
  const pages = bytes / wasmPageBytes;
  if (!Number.isInteger(pages) || pages < 1 || bytes > maxMemoryBytes) {
    return fail('configuration', `A guest cannot have ${bytes} bytes of memory; take a multiple of 64K up to 4G.`);
  }
  try {
    return ok(new GuestMemory(new webAssembly.Memory({ initial: pages, maximum: pages, shared: true }), bytes));
  } catch {
    // RangeError: the host's address space or its limits do not allow it.
    const size = `${bytes / mebibyte} MiB`;
    return fail('configuration', `This host does not give the guest ${size} of memory; take less with --memory.`);
  }
}

function assemble(
  config: MachineConfig,
  host: MachineHost,
  model: Model,
  memory: GuestMemory,
): ReturnType<CreateMachine> {
  const clock = new GuestClock(() => host.nowNs());
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
  });
  const nowNs = (): number => clock.nowNs();
  const kvmClock = new KvmClock(memory, { readTsc: () => vcpu.readTsc(), nowNs, wallClockMs });
  const vcpu: Vcpu = new Vcpu({
    memory,
    mmio: board.processorMmio,
    ports: board.ports,
    interrupts: interruptSource(board.localApic),
    externalMsrs: boardMsrs(board.localApic, kvmClock),
    model,
    apicId: boardFacts.bootApicId,
    translates: translation[config.accel],
    translation: host.translation,
    codeCacheBytes: config.codeCacheBytes,
    nowNs,
    tscChanged: () => {
      board.localApic.tscChanged();
      kvmClock.tscChanged();
    },
    random: () => host.random64(),
  });
  socket.insert(vcpu);
  const booted = boot({ memory, board, vcpu, processorName: model.name, uuid: randomUuid(host) }, config.boot);
  if (!booted.ok) return booted;
  loop = new RunLoop({ host, clock, board, vcpu, timers, serial, profile: config.profile ? new Profile() : undefined });
  return ok(loop);
}

/** What each accelerator translates. */
const translation = { auto: 'hot', interpret: 'never', translate: 'hot', verify: 'verify' } as const;

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
