/** The ACPI tables of the board, as bytes; `install.ts` gives them addresses. ACPI Specification 6.3, 5.2. */
import {
  accessWidth,
  addressSpace,
  facs,
  fadt,
  fadtBoot,
  fadtFlag,
  hpetTable,
  rsdp,
  sdtHeader,
  tableRevision,
} from '../../spec/acpi/tables.ts';
import { acpiPm } from '../../spec/pc/acpi-pm.ts';
import { resetControl } from '../../spec/pc/board.ts';
import { rtcRegister } from '../../spec/pc/rtc.ts';
import type { AcpiBoard, AcpiHpet } from './board.ts';
import { dsdtBody } from './dsdt.ts';
import { AcpiTable, checksum, putText } from './table.ts';

export function buildDsdt(board: AcpiBoard): Uint8Array {
  const body = dsdtBody(board);
  const table = new AcpiTable('DSDT', tableRevision.dsdt, sdtHeader.bytes + body.length);
  table.bytes.set(body, sdtHeader.bytes);
  return table.finish();
}

/** Firmware control structure: no header checksum; software shares its lock word with firmware. 5.2.10. */
export function buildFacs(): Uint8Array {
  const bytes = new Uint8Array(facs.bytes);
  putText(bytes, 0, 'FACS');
  new DataView(bytes.buffer).setUint32(facs.length, facs.bytes, true);
  bytes[facs.version] = tableRevision.facs;
  return bytes;
}

/**
 * Fixed description table. There is no SMI command port: the machine is always in ACPI mode. The power button is a
 * fixed one; the sleep button and wake-up by the clock do not exist.
 */
export function buildFadt(board: AcpiBoard, facsAddress: number, dsdtAddress: number): Uint8Array {
  const table = new AcpiTable('FACP', tableRevision.fadt, fadt.bytes);
  const { view } = table;
  const eventBlock = acpiPm.base + acpiPm.pm1Event;
  const controlBlock = acpiPm.base + acpiPm.pm1Control;
  const timerBlock = acpiPm.base + acpiPm.timer;
  view.setUint32(fadt.firmwareControl, facsAddress, true);
  view.setUint32(fadt.dsdt, dsdtAddress, true);
  view.setBigUint64(fadt.extendedDsdt, BigInt(dsdtAddress), true);
  view.setUint8(fadt.preferredProfile, fadt.profileDesktop);
  view.setUint16(fadt.sciInterrupt, acpiPm.sciIrq, true);
  view.setUint32(fadt.pm1aEventBlock, eventBlock, true);
  view.setUint32(fadt.pm1aControlBlock, controlBlock, true);
  view.setUint32(fadt.pmTimerBlock, timerBlock, true);
  view.setUint8(fadt.pm1EventLength, acpiPm.pm1EventLength);
  view.setUint8(fadt.pm1ControlLength, acpiPm.pm1ControlLength);
  view.setUint8(fadt.pmTimerLength, acpiPm.timerLength);
  view.setUint16(fadt.c2Latency, fadt.noC2, true);
  view.setUint16(fadt.c3Latency, fadt.noC3, true);
  view.setUint8(fadt.century, rtcRegister.century);
  const noVga = board.vga ? 0 : fadtBoot.noVga;
  view.setUint16(fadt.bootArchitecture, fadtBoot.legacyDevices | fadtBoot.keyboardController | noVga, true);
  const flags = fadtFlag.wbinvd | fadtFlag.c1Supported | fadtFlag.noSleepButton | fadtFlag.rtcNotFixed;
  const timer = board.pmTimerBits === 32 ? fadtFlag.timer32Bit : 0;
  view.setUint32(fadt.flags, flags | fadtFlag.resetRegister | timer, true);
  table.putAddress(fadt.resetRegister, addressSpace.io, 8, accessWidth.byte, resetControl.port);
  view.setUint8(fadt.resetValue, resetControl.systemReset | resetControl.resetCpu);
  view.setUint8(fadt.minorVersion, fadt.minorVersionValue);
  const bits = (bytes: number): number => bytes * 8;
  table.putAddress(fadt.extendedPm1aEvent, addressSpace.io, bits(acpiPm.pm1EventLength), accessWidth.word, eventBlock);
  table.putAddress(
    fadt.extendedPm1aControl,
    addressSpace.io,
    bits(acpiPm.pm1ControlLength),
    accessWidth.word,
    controlBlock,
  );
  table.putAddress(fadt.extendedPmTimer, addressSpace.io, bits(acpiPm.timerLength), accessWidth.dword, timerBlock);
  return table.finish();
}

export function buildHpet(hpet: AcpiHpet): Uint8Array {
  const table = new AcpiTable('HPET', tableRevision.hpet, hpetTable.bytes);
  table.view.setUint32(hpetTable.eventTimerBlock, hpet.eventTimerBlockId, true);
  table.putAddress(hpetTable.baseAddress, addressSpace.memory, 64, accessWidth.undefined, hpet.address);
  table.view.setUint8(hpetTable.number, 0);
  table.view.setUint16(hpetTable.minimumTick, hpetTable.minimumTickValue, true);
  return table.finish();
}

/** RSDT with 32-bit pointers, for software of ACPI 1.0; XSDT with 64-bit ones. */
export function buildRootTable(signature: 'RSDT' | 'XSDT', tables: readonly number[]): Uint8Array {
  const wide = signature === 'XSDT';
  const entryBytes = wide ? 8 : 4;
  const revision = wide ? tableRevision.xsdt : tableRevision.rsdt;
  const table = new AcpiTable(signature, revision, sdtHeader.bytes + tables.length * entryBytes);
  for (const [index, address] of tables.entries()) {
    const at = sdtHeader.bytes + index * entryBytes;
    if (wide) table.view.setBigUint64(at, BigInt(address), true);
    else table.view.setUint32(at, address, true);
  }
  return table.finish();
}

/** Root pointer: a checksum over its version-1 part, then one over all. 5.2.5.3. */
export function buildRsdp(rsdtAddress: number, xsdtAddress: number): Uint8Array {
  const bytes = new Uint8Array(rsdp.bytes);
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, rsdp.signature);
  putText(bytes, rsdp.oemId, 'CORBEL');
  bytes[rsdp.revisionOffset] = rsdp.revision;
  view.setUint32(rsdp.rsdtAddress, rsdtAddress, true);
  view.setUint32(rsdp.length, rsdp.bytes, true);
  view.setBigUint64(rsdp.xsdtAddress, BigInt(xsdtAddress), true);
  bytes[rsdp.checksum] = checksum(bytes.subarray(0, rsdp.bytesV1));
  bytes[rsdp.extendedChecksum] = checksum(bytes);
  return bytes;
}
