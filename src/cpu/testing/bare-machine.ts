/** A vCPU with RAM and nothing else around it, for tests: long mode with flat identity paging, or real mode. */
import { MmioBus } from '../../device-model/mmio.ts';
import { PortBus } from '../../device-model/port-io.ts';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { cr0, cr4, efer } from '../../spec/x86/registers.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import type { Siblings } from '../smp/siblings.ts';
import { segmentIndex } from '../state/layout.ts';
import { findCpuModel } from '../system/cpu-model.ts';
import type { TranslationService } from '../translate/job.ts';
import { Vcpu } from '../vcpu.ts';
import type { VcpuOptions } from '../vcpu-options.ts';

export interface BareMachine {
  readonly vcpu: Vcpu;
  readonly memory: GuestMemory;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
}

interface Processor extends Pick<VcpuOptions, 'apicId' | 'topology' | 'interpreter' | 'countsLookups'> {
  readonly siblings?: (memory: GuestMemory) => Siblings;
  readonly translation?: (memory: GuestMemory) => TranslationService;
}

/** Level-4 table; level 3 and 2 follow it. */
const pageTables = 0x1000;

export function bareMachine(
  megabytes = 4,
  translates: VcpuOptions['translates'] = 'never',
  { siblings, translation, ...processor }: Processor = { apicId: 0 },
): BareMachine {
  const pages = megabytes * 16;
  const memory = new GuestMemory(new webAssembly.Memory({ initial: pages, maximum: pages, shared: true }), pages << 16);
  const ports = new PortBus();
  const mmio = new MmioBus();
  const model = findCpuModel('max');
  if (model === undefined) throw new Error('no model');
  let now = 0;
  const vcpu = new Vcpu({
    memory,
    mmio,
    ports,
    model,
    ...processor,
    siblings: siblings?.(memory),
    translation: translation?.(memory),
    interrupts: { hasInterrupt: () => false, acknowledge: () => -1, taskPriority: 0 },
    externalMsrs: { read: () => undefined, write: () => false },
    nowNs: () => (now += 1000),
    translates,
    tscChanged: () => {},
    random: () => 0x1234_5678_9abc_def0n,
  });
  return { vcpu, memory, ports, mmio };
}

/** Enters 64-bit mode at `rip`, CPL 0 or 3, with the first 4 MiB identity-mapped for everybody. */
export function enterLongMode({ vcpu, memory }: BareMachine, rip: number, cpl: 0 | 3 = 0): void {
  const { state } = vcpu;
  memory.writeU64(pageTables, BigInt(pageTables + 0x1000) | 7n);
  memory.writeU64(pageTables + 0x1000, BigInt(pageTables + 0x2000) | 7n);
  for (let n = 0; n < 512; n++) memory.writeU64(pageTables + 0x2000 + n * 8, BigInt(n * 0x20_0000) | 0x87n);
  state.set64('cr3', BigInt(pageTables));
  state.set64('cr4', BigInt(cr4.pae | cr4.osfxsr | cr4.osxmmexcpt));
  state.set64('efer', BigInt(efer.lme | efer.lma | efer.nxe | efer.sce));
  state.set64('cr0', BigInt((cr0.pe | cr0.pg | cr0.wp | cr0.ne | cr0.et) >>> 0));
  state.setSegment(segmentIndex.cs, {
    selector: 8 | cpl,
    base: 0n,
    limit: 0xffff_ffff,
    attributes: 0xa09b | (cpl << 5),
  });
  for (const index of [segmentIndex.ss, segmentIndex.ds, segmentIndex.es, segmentIndex.fs, segmentIndex.gs]) {
    state.setSegment(index, { selector: 16 | cpl, base: 0n, limit: 0xffff_ffff, attributes: 0xc093 | (cpl << 5) });
  }
  state.cpl = cpl;
  state.rip = BigInt(rip);
  vcpu.flushTlb('all');
  vcpu.modeChanged();
}
