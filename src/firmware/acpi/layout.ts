/** Gives the ACPI tables their addresses. */
import { facs } from '../../spec/acpi/tables.ts';
import { alignUp } from '../free-space.ts';
import type { AcpiBoard } from './board.ts';
import { buildMadt } from './madt.ts';
import { buildDsdt, buildFacs, buildFadt, buildHpet, buildRootTable, buildRsdp } from './tables.ts';

export interface PlacedTable {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface AcpiLayout {
  readonly tables: readonly PlacedTable[];
  /** The root pointer, which may lie anywhere. */
  readonly root: Uint8Array;
  /** Where the tables end. */
  readonly end: number;
}

/** @param start where the tables begin, a multiple of 64 */
export function layOutAcpi(board: AcpiBoard, start: number): AcpiLayout {
  const tables: PlacedTable[] = [];
  let next = start;
  const place = (bytes: Uint8Array): number => {
    const address = next;
    tables.push({ address, bytes });
    next = alignUp(address + bytes.length, facs.alignment);
    return address;
  };
  const facsAddress = place(buildFacs());
  const dsdtAddress = place(buildDsdt(board));
  const described = [place(buildFadt(board, facsAddress, dsdtAddress)), place(buildMadt(board))];
  if (board.hpet !== undefined) described.push(place(buildHpet(board.hpet)));
  const rsdtAddress = place(buildRootTable('RSDT', described));
  const xsdtAddress = place(buildRootTable('XSDT', described));
  return { tables, root: buildRsdp(rsdtAddress, xsdtAddress), end: next };
}
