/** The ACPI tables for firmware that places them itself: files for fw_cfg, and a script of what to do with them. */

import {
  tableLoader,
  tableLoaderAllocate,
  tableLoaderChecksum,
  tableLoaderFile,
  tableLoaderPointer,
} from '../../spec/acpi/table-loader.ts';
import { facs, fadt, rsdp, sdtHeader } from '../../spec/acpi/tables.ts';
import type { AcpiBoard } from './board.ts';
import { layOutAcpi, type PlacedTable } from './layout.ts';
import { putText } from './table.ts';

export interface FirmwareFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** In the root tables, from the header on. */
const rootPointerBytes: Readonly<Record<string, number>> = { RSDT: 4, XSDT: 8 };

export function buildAcpiFiles(board: AcpiBoard): FirmwareFile[] {
  const { tables, root, end } = layOutAcpi(board, 0);
  const file = new Uint8Array(end);
  for (const { address, bytes } of tables) file.set(bytes, address);
  const entries = [
    allocate(tableLoaderFile.tables, facs.alignment, tableLoaderAllocate.zoneHigh),
    allocate(tableLoaderFile.rsdp, rsdpAlignment, tableLoaderAllocate.zoneFirmwareSegment),
    ...tables.flatMap((table) => patches(table)),
    addPointer(tableLoaderFile.rsdp, rsdp.rsdtAddress, 4),
    addPointer(tableLoaderFile.rsdp, rsdp.xsdtAddress, 8),
    addChecksum(tableLoaderFile.rsdp, rsdp.checksum, 0, rsdp.bytesV1),
    addChecksum(tableLoaderFile.rsdp, rsdp.extendedChecksum, 0, rsdp.bytes),
  ];
  return [
    { name: tableLoaderFile.tables, bytes: file },
    { name: tableLoaderFile.rsdp, bytes: root },
    { name: tableLoaderFile.script, bytes: Uint8Array.from(entries.flatMap((entry) => [...entry])) },
  ];
}

const rsdpAlignment = 16;

/** The addresses in a table are offsets into the file so far; its checksum has to follow them. */
function patches({ address, bytes }: PlacedTable): Uint8Array[] {
  const signature = String.fromCharCode(...bytes.subarray(0, 4));
  const pointers: [number, number][] = [];
  if (signature === 'FACP') pointers.push([fadt.firmwareControl, 4], [fadt.dsdt, 4], [fadt.extendedDsdt, 8]);
  const entryBytes = rootPointerBytes[signature];
  if (entryBytes !== undefined) {
    for (let at: number = sdtHeader.bytes; at < bytes.length; at += entryBytes) pointers.push([at, entryBytes]);
  }
  if (pointers.length === 0) return [];
  return [
    ...pointers.map(([offset, size]) => addPointer(tableLoaderFile.tables, address + offset, size)),
    addChecksum(tableLoaderFile.tables, address + sdtHeader.checksum, address, bytes.length),
  ];
}

function entry(command: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(tableLoader.entryBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(tableLoader.command, command, true);
  return { bytes, view };
}

function allocate(name: string, alignment: number, zone: number): Uint8Array {
  const { bytes, view } = entry(tableLoader.commandAllocate);
  putText(bytes, tableLoaderAllocate.file, name);
  view.setUint32(tableLoaderAllocate.alignment, alignment, true);
  view.setUint8(tableLoaderAllocate.zone, zone);
  return bytes;
}

/** All pointers are to tables. */
function addPointer(destination: string, offset: number, size: number): Uint8Array {
  const { bytes, view } = entry(tableLoader.commandAddPointer);
  putText(bytes, tableLoaderPointer.destination, destination);
  putText(bytes, tableLoaderPointer.source, tableLoaderFile.tables);
  view.setUint32(tableLoaderPointer.offset, offset, true);
  view.setUint8(tableLoaderPointer.size, size);
  return bytes;
}

function addChecksum(name: string, offset: number, start: number, length: number): Uint8Array {
  const { bytes, view } = entry(tableLoader.commandAddChecksum);
  putText(bytes, tableLoaderChecksum.file, name);
  view.setUint32(tableLoaderChecksum.offset, offset, true);
  view.setUint32(tableLoaderChecksum.start, start, true);
  view.setUint32(tableLoaderChecksum.length, length, true);
  return bytes;
}
