/** The model-specific registers that lie outside the processor core: those of the local APIC, and kvmclock's. */
import type { MsrSpace } from '../cpu/processor.ts';
import { isApicMsr, readApicMsr, writeApicMsr } from '../devices/apic/apic-msr.ts';
import type { LocalApic } from '../devices/apic/local-apic.ts';

/** @param others asked for every register that is not the local APIC's */
export function boardMsrs(apic: LocalApic, others: MsrSpace): MsrSpace {
  return {
    read: (index) => (isApicMsr(index) ? readApicMsr(apic, index) : others.read(index)),
    write: (index, value) => (isApicMsr(index) ? writeApicMsr(apic, index, value) : others.write(index, value)),
  };
}
