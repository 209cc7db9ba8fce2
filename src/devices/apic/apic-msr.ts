/** The local APIC's model-specific registers: IA32_APIC_BASE, IA32_TSC_DEADLINE, x2APIC. SDM Vol. 3A 12.12.1. */
import { apicCommand, apicMsr, apicRegister, apicSpurious } from '../../spec/x86/apic.ts';
import type { LocalApic } from './local-apic.ts';
import { LocalVectorTable } from './local-vector-table.ts';

/** Bits that WRMSR may set in x2APIC mode, by xAPIC offset; registers that are not here refuse to be written. */
const writableBits: ReadonlyMap<number, number> = new Map([
  [apicRegister.taskPriority, 0xff],
  [apicRegister.endOfInterrupt, 0],
  [apicRegister.spuriousVector, apicSpurious.writable],
  [apicRegister.errorStatus, 0],
  [apicRegister.initialCount, 0xffff_ffff],
  [apicRegister.divideConfiguration, 0b1011],
  [apicRegister.selfIpi, 0xff],
]);

/** Registers of the xAPIC page that x2APIC mode has not, or that cannot be read. SDM Vol. 3A table 12-6. */
const unreadable: ReadonlySet<number> = new Set([
  apicRegister.arbitrationPriority,
  apicRegister.endOfInterrupt,
  apicRegister.remoteRead,
  apicRegister.destinationFormat,
  apicRegister.interruptCommandHigh,
]);

const maxDword = 0xffff_ffffn;

/** Whether the MSR belongs to the local APIC. */
export function isApicMsr(msr: number): boolean {
  return (
    msr === apicMsr.base || msr === apicMsr.tscDeadline || (msr >= apicMsr.x2apicFirst && msr <= apicMsr.x2apicLast)
  );
}

/** RDMSR. @returns undefined for #GP. */
export function readApicMsr(apic: LocalApic, msr: number): bigint | undefined {
  if (msr === apicMsr.base) return apic.base;
  if (msr === apicMsr.tscDeadline) return apic.timer.tscDeadline;
  if (!apic.x2apic || !isApicMsr(msr)) return undefined;
  const offset = (msr - apicMsr.x2apicFirst) << 4;
  if (unreadable.has(offset)) return undefined;
  const value = apic.read32(offset);
  if (value === undefined) return undefined;
  if (offset === apicRegister.interruptCommandLow) {
    return (BigInt(apic.read32(apicRegister.interruptCommandHigh) ?? 0) << 32n) | BigInt(value);
  }
  return BigInt(value >>> 0);
}

/** WRMSR. @returns false for #GP. */
export function writeApicMsr(apic: LocalApic, msr: number, value: bigint): boolean {
  if (msr === apicMsr.base) return apic.writeBase(value);
  if (msr === apicMsr.tscDeadline) {
    apic.timer.tscDeadline = value;
    return true;
  }
  if (!apic.x2apic || !isApicMsr(msr)) return false;
  const offset = (msr - apicMsr.x2apicFirst) << 4;
  const low = Number(value & maxDword);
  if (offset === apicRegister.interruptCommandLow) {
    if ((low & ~apicCommand.writable) !== 0) return false;
    apic.write32(apicRegister.interruptCommandHigh, Number((value >> 32n) & maxDword));
    apic.write32(offset, low);
    return true;
  }
  const writable = LocalVectorTable.isEntry(offset) ? LocalVectorTable.allowedBits(offset) : writableBits.get(offset);
  if (writable === undefined || value > maxDword || (low & ~writable) !== 0) return false;
  apic.write32(offset, low);
  return true;
}
