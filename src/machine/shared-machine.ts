/** The memory that the threads of a machine share: RAM with its marks, processors, and what passes between them. */
import { kickOf } from '../cpu/kick.ts';
import { allocateProcessorBoard } from '../cpu/smp/processor-board.ts';
import { createVcpuMemory } from '../cpu/state/vcpu-memory.ts';
import { allocateKvmClocks } from '../cpu/system/kvm-clock.ts';
import { allocateMadeRegions } from '../cpu/translate/made-regions.ts';
import { allocateApicMail } from '../devices/apic/apic-mail.ts';
import { IoSide } from '../devices/virtio/io-side.ts';
import { allocateMailboxes } from '../devices/virtio/mailbox.ts';
import type { VirtioDescription, VirtioDevice } from '../devices/virtio/virtio-device.ts';
import { allocateCodeWrites, CodeWriteSender } from '../memory/code-writes.ts';
import { allocatePageFlags, GuestMemory } from '../memory/guest-memory.ts';
import { allocatePageUsers, PageUsers } from '../memory/page-users.ts';
import { fail, ok, type Result } from '../support/result.ts';
import { type WasmMemory, webAssembly } from '../wasm/webassembly.ts';
import { allocateGuestClock } from './guest-clock.ts';
import { allocateLastWords } from './last-words.ts';
import { allocateRemoteIo } from './remote-io.ts';

const wasmPageBytes = 65_536;
const maxMemoryBytes = 2 ** 32;
const mebibyte = 2 ** 20;

/** Can be sent to another thread as it is. */
export interface SharedMachine {
  readonly ram: WasmMemory;
  readonly pageFlags: SharedArrayBuffer;
  /** Each processor's own memory. */
  readonly processors: readonly WasmMemory[];
  readonly apicIds: readonly number[];
  readonly pageUsers: WasmMemory;
  readonly processorBoard: WasmMemory;
  readonly apicMail: SharedArrayBuffer;
  readonly remoteIo: SharedArrayBuffer;
  readonly clock: SharedArrayBuffer;
  readonly kvmClocks: SharedArrayBuffer;
  readonly codeWrites: SharedArrayBuffer;
  readonly madeRegions: SharedArrayBuffer;
  readonly lastWords: SharedArrayBuffer;
  readonly virtio: readonly VirtioDescription[];
  readonly mailboxes: SharedArrayBuffer;
}

/** Errors: kind `configuration`, RAM that no machine can have or this host does not give. */
export function allocateMachine(
  memoryBytes: number,
  virtio: readonly VirtioDescription[] = [],
  apicIds: readonly number[] = [0],
): Result<SharedMachine> {
  const pages = memoryBytes / wasmPageBytes;
  if (!Number.isInteger(pages) || pages < 1 || memoryBytes > maxMemoryBytes) {
    return fail(
      'configuration',
      `A guest cannot have ${memoryBytes} bytes of memory; take a multiple of 64K up to 4G.`,
    );
  }
  let ram: WasmMemory;
  try {
    ram = new webAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    // RangeError: the host's address space or its limits do not allow it.
    const size = `${memoryBytes / mebibyte} MiB`;
    return fail('configuration', `This host does not give the guest ${size} of memory; take less with --memory.`);
  }
  return ok({
    ram,
    pageFlags: allocatePageFlags(memoryBytes),
    processors: apicIds.map(() => createVcpuMemory()),
    apicIds,
    pageUsers: allocatePageUsers(memoryBytes, apicIds.length),
    processorBoard: allocateProcessorBoard(),
    apicMail: allocateApicMail(apicIds),
    remoteIo: allocateRemoteIo(apicIds.length),
    clock: allocateGuestClock(),
    kvmClocks: allocateKvmClocks(apicIds.length),
    codeWrites: allocateCodeWrites(),
    madeRegions: allocateMadeRegions(),
    lastWords: allocateLastWords(apicIds.length),
    virtio,
    mailboxes: allocateMailboxes(virtio),
  });
}

/** Guest RAM as this thread sees it. @param processor the thread's; -1 for a thread that runs none */
export const openMemory = ({ ram, pageFlags, pageUsers }: SharedMachine, processor: number): GuestMemory =>
  new GuestMemory(ram, ram.buffer.byteLength, pageFlags, new PageUsers(pageUsers, processor));

export interface IoHost {
  /** Wakes the machine's thread if it sleeps. */
  ringMachine(): void;
  /** Wakes the threads of all processors. */
  ringProcessors(): void;
  /** Runs `task` soon, but not before a microsecond or so has passed. */
  soon(task: () => void): void;
  /** A guest's driver broke the rules of the device with that number. */
  report(device: number, reason: string): void;
  /** A device threw: a bug of ours. */
  crashed(error: unknown): void;
}

/**
 * Plugs the devices in on the I/O thread.
 * @param devices in the order of the descriptions that the machine was allocated with
 */
export function createIoSide(machine: SharedMachine, devices: readonly VirtioDevice[], host: IoHost): IoSide {
  const kicks = machine.processors.map(kickOf);
  const wakeMachine = (): void => {
    kicks[0]?.();
    host.ringMachine();
  };
  const wakeProcessors = (): void => {
    for (const kick of kicks) kick();
    host.ringProcessors();
  };
  return new IoSide({
    memory: openMemory(machine, -1),
    mailboxes: machine.mailboxes,
    devices,
    codeWrites: new CodeWriteSender(machine.codeWrites, machine.processors.length, wakeProcessors),
    wakeMachine,
    soon: (task) => host.soon(task),
    report: (device, reason) => host.report(device, reason),
    crashed: (error) => host.crashed(error),
  });
}
