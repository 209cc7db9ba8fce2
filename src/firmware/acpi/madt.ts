/** Multiple APIC description table. ACPI Specification 6.3, 5.2.12. */
import { madt, madtBytes, madtType, tableRevision } from '../../spec/acpi/tables.ts';
import { acpiPm } from '../../spec/pc/acpi-pm.ts';
import { apicBase, ioApic } from '../../spec/x86/apic.ts';
import { littleEndian } from './aml.ts';
import type { AcpiBoard } from './board.ts';
import { AcpiTable } from './table.ts';

/** The PIT is wired to pin 2 of the I/O APIC, where pin 0 takes the 8259 pair. */
const timerIrq = 0;
const timerGsi = 2;
/** LINT1 of every processor is NMI. */
const nmiPin = 1;

export function buildMadt(board: AcpiBoard): Uint8Array {
  const x2apic = board.apicIds.some((id) => id >= madt.firstX2apicId);
  const structures = [
    ...board.apicIds.map(processor),
    ioApicStructure(board.ioApicId),
    sourceOverride(timerIrq, timerGsi, madt.conforms),
    sourceOverride(acpiPm.sciIrq, acpiPm.sciIrq, madt.levelTriggered | madt.activeHigh),
    structure(madtType.localNmi, madtBytes.localNmi, [madt.allProcessors8, ...littleEndian(madt.conforms, 2), nmiPin]),
    ...(x2apic ? [x2apicNmi()] : []),
  ].flat();
  const table = new AcpiTable('APIC', tableRevision.madt, madt.fixedBytes + structures.length);
  table.view.setUint32(madt.localApicAddress, apicBase.defaultAddress, true);
  table.view.setUint32(madt.flags, madt.pcatCompatible, true);
  table.bytes.set(structures, madt.fixedBytes);
  return table.finish();
}

function processor(apicId: number, uid: number): number[] {
  const flags = littleEndian(madt.enabled, 4);
  if (apicId < madt.firstX2apicId) return structure(madtType.localApic, madtBytes.localApic, [uid, apicId, ...flags]);
  const body = [0, 0, ...littleEndian(apicId, 4), ...flags, ...littleEndian(uid, 4)];
  return structure(madtType.localX2apic, madtBytes.localX2apic, body);
}

function ioApicStructure(id: number): number[] {
  const body = [id, 0, ...littleEndian(ioApic.defaultAddress, 4), ...littleEndian(0, 4)];
  return structure(madtType.ioApic, madtBytes.ioApic, body);
}

function sourceOverride(irq: number, gsi: number, flags: number): number[] {
  const body = [madt.isaBus, irq, ...littleEndian(gsi, 4), ...littleEndian(flags, 2)];
  return structure(madtType.sourceOverride, madtBytes.sourceOverride, body);
}

function x2apicNmi(): number[] {
  const body = [...littleEndian(madt.conforms, 2), ...littleEndian(madt.allProcessors32, 4), nmiPin, 0, 0, 0];
  return structure(madtType.localX2apicNmi, madtBytes.localX2apicNmi, body);
}

const structure = (type: number, bytes: number, body: readonly number[]): number[] => [type, bytes, ...body];
