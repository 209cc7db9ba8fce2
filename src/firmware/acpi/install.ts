/** Puts the ACPI tables into the firmware's region of the first megabyte. */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { facs, rsdp } from '../../spec/acpi/tables.ts';
import { pcMemory } from '../../spec/pc/e820.ts';
import { type Failure, fail, ok, type Result } from '../../support/result.ts';
import { alignUp } from '../free-space.ts';
import type { AcpiBoard } from './board.ts';
import { layOutAcpi, type PlacedTable } from './layout.ts';

export interface AcpiTables {
  /** Where the root pointer lies; guests also find it by searching. */
  readonly rsdpAddress: number;
  /** Every table with its address, for inspection. */
  readonly tables: readonly PlacedTable[];
}

/** Lays the tables out from `pcMemory.firmware` on, root pointer first. @returns an error if they are too many. */
export function buildAcpi(board: AcpiBoard): Result<AcpiTables, Failure<'too-large'>> {
  const { tables, root, end } = layOutAcpi(board, pcMemory.firmware + alignUp(rsdp.bytes, facs.alignment));
  if (end > pcMemory.smbiosSearch) {
    const room = pcMemory.smbiosSearch - pcMemory.firmware;
    return fail('too-large', `The ACPI tables need more than ${room} bytes; give the machine fewer processors.`);
  }
  return ok({ rsdpAddress: pcMemory.firmware, tables: [{ address: pcMemory.firmware, bytes: root }, ...tables] });
}

/** Builds the tables and writes them to guest memory. */
export function installAcpi(memory: GuestMemory, board: AcpiBoard): Result<AcpiTables, Failure<'too-large'>> {
  const built = buildAcpi(board);
  if (built.ok) for (const { address, bytes } of built.value.tables) memory.write(address, bytes);
  return built;
}
