/** Does what firmware and boot loader do: tables and kernel into memory, the processor to the kernel's entry. */
import type { CpuState } from '../cpu/state/cpu-state.ts';
import { segmentIndex } from '../cpu/state/layout.ts';
import { apicIdsOf, type Topology } from '../cpu/system/topology.ts';
import type { Vcpu } from '../cpu/vcpu.ts';
import type { AcpiBoard } from '../firmware/acpi/board.ts';
import { installAcpi } from '../firmware/acpi/install.ts';
import type { BootData as LoadedData } from '../firmware/boot-request.ts';
import type { InitialCpuState, SegmentState } from '../firmware/cpu-state.ts';
import { firmwareFiles, installFirmwareRom } from '../firmware/firmware-rom.ts';
import { loadGuestKernel } from '../firmware/guest-kernel.ts';
import { buildMemoryMap, writeBiosDataArea } from '../firmware/memory-map.ts';
import { installSmbios, type SmbiosMachine } from '../firmware/smbios.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import { hpetMmio, hpetRegister } from '../spec/pc/hpet.ts';
import { ioApicInput } from '../spec/pc/isa-irq.ts';
import { fail, ok, type Result } from '../support/result.ts';
import { type Board, boardFacts } from './board.ts';
import type { BootData, BootSource, FirmwareSource, KernelSource, MachineHost } from './config.ts';
import { setUpBoard } from './firmware-setup.ts';
import { pciMemoryWindow } from './pci-window.ts';

/** Version of this machine model: raised when a guest could tell the difference. */
const machineVersion = '1';

export interface BootMachine {
  readonly host: MachineHost;
  readonly memory: GuestMemory;
  readonly board: Board;
  readonly vcpu: Vcpu;
  readonly processorName: string;
  readonly topology: Topology;
  /** 16 random bytes. */
  readonly uuid: Uint8Array;
}

/** Prepares a machine that has just been powered on. Errors: kind `input`, the sentence is the loader's. */
export function boot(machine: BootMachine, source: BootSource): Result<void> {
  return source.kind === 'kernel' ? bootKernel(machine, source) : bootFirmware(machine, source);
}

function bootKernel(machine: BootMachine, source: KernelSource): Result<void> {
  const { memory, board, vcpu, host } = machine;
  const { initrd, modules } = source;
  const memoryMap = buildMemoryMap(memory);
  writeBiosDataArea(memory);
  const acpi = installAcpi(memory, acpiBoard(machine));
  if (!acpi.ok) return fail('configuration', acpi.error.message);
  installSmbios(memory, smbiosMachine(machine));
  const loaded = loadGuestKernel({
    memory,
    memoryMap,
    kernel: source.kernel,
    commandLine: source.commandLine,
    initrd: initrd && loadable(initrd, host),
    modules: modules.map(({ data, commandLine }) => ({ data: loadable(data, host), commandLine })),
    rsdpAddress: acpi.value.rsdpAddress,
  });
  if (!loaded.ok) return fail('input', loaded.error.message);
  setUpBoard(board, memory);
  applyCpuState(vcpu, loaded.value.state);
  return ok(undefined);
}

const loadable = (data: BootData, host: MachineHost): LoadedData =>
  data instanceof Uint8Array ? data : { length: data.length, readInto: (target) => host.readFile(data, target) };

/** The processor and the board stay as reset has left them: the rest is what firmware is for. */
function bootFirmware(machine: BootMachine, { image }: FirmwareSource): Result<void> {
  const { memory, board } = machine;
  const installed = installFirmwareRom(memory, image);
  if (!installed.ok) return fail('input', installed.error.message);
  board.insertRom(image);
  const files = firmwareFiles(memory, acpiBoard(machine), smbiosMachine(machine), boardFacts.serialPorts[0].port);
  for (const { name, bytes } of files) board.fwCfg.add(name, bytes);
  return ok(undefined);
}

function acpiBoard({ memory, board, topology }: BootMachine): AcpiBoard {
  return {
    apicIds: apicIdsOf(topology),
    ioApicId: boardFacts.ioApicId,
    hpet: { address: hpetMmio.base, eventTimerBlockId: board.hpet.readMmio(hpetRegister.capabilities, 4) },
    pci: {
      memoryWindows: [pciMemoryWindow(memory)],
      // Device 0's INTA# is PIRQD: the host bridge numbers the lines from device 1 on.
      intxGsis: [3, 0, 1, 2].map((pirq) => ioApicInput.firstPirq + pirq),
    },
    serialPorts: boardFacts.serialPorts,
    fwCfg: true,
    pmTimerBits: boardFacts.pmTimerBits,
    vga: false,
  };
}

function smbiosMachine({ memory, uuid, processorName, topology }: BootMachine): SmbiosMachine {
  const memoryMap = buildMemoryMap(memory);
  return { version: machineVersion, uuid, processorName, processors: topology, memoryMap };
}

const segmentNames = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

/** Puts the registers into a processor that has just been reset. */
function applyCpuState(vcpu: Vcpu, initial: InitialCpuState): void {
  const { state } = vcpu;
  // Before the segments, whose rights depend on them.
  for (const name of ['cr0', 'cr3', 'cr4', 'efer'] as const) state.set64(name, BigInt(initial[name]));
  state.eflags = initial.rflags;
  applyGeneralRegisters(state, initial);
  for (const name of segmentNames) state.setSegment(segmentIndex[name], segmentValue(initial[name]));
  state.setTable('gdtr', BigInt(initial.gdtr.base), initial.gdtr.limit);
  state.setTable('idtr', BigInt(initial.idtr.base), initial.idtr.limit);
  state.cpl = 0;
  state.rip = BigInt(initial.rip);
  vcpu.flushTlb('all');
  vcpu.modeChanged();
}

/** In the order of their numbers in ModRM. */
function applyGeneralRegisters(state: CpuState, initial: InitialCpuState): void {
  const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi } = initial;
  for (const [number, value] of [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi].entries()) state.setGpr(number, BigInt(value));
}

const segmentValue = ({ selector, base, limit, attributes }: SegmentState) => ({
  selector,
  base: BigInt(base),
  limit,
  attributes,
});
