/** Puts the ACPI tables into the firmware's region of the first megabyte. */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { facs, rsdp } from '../../spec/acpi/tables.ts';
import { pcMemory } from '../../spec/pc/e820.ts';
import { type Failure, fail, ok, type Result } from '../../support/result.ts';
import { alignUp } from '../free-space.ts';
import type { AcpiBoard } from './board.ts';
import { buildMadt } from './madt.ts';
import { buildDsdt, buildFacs, buildFadt, buildHpet, buildRootTable, buildRsdp } from './tables.ts';

export interface AcpiTables {
  /** Where the root pointer lies; guests also find it by searching. */
  readonly rsdpAddress: number;
  /** Every table with its address, for inspection. */
  readonly tables: readonly { readonly address: number; readonly bytes: Uint8Array }[];
}

/** Lays the tables out from `pcMemory.firmware` on, root pointer first. @returns an error if they are too many. */
export function buildAcpi(board: AcpiBoard): Result<AcpiTables, Failure<'too-large'>> {
  const placed: { address: number; bytes: Uint8Array }[] = [];
  let next: number = pcMemory.firmware + alignUp(rsdp.bytes, facs.alignment);
  const place = (bytes: Uint8Array): number => {
    const address = next;
    placed.push({ address, bytes });
    next = alignUp(address + bytes.length, facs.alignment);
    return address;
  };
  const facsAddress = place(buildFacs());
  const dsdtAddress = place(buildDsdt(board));
  const described = [place(buildFadt(board, facsAddress, dsdtAddress)), place(buildMadt(board))];
  if (board.hpet !== undefined) described.push(place(buildHpet(board.hpet)));
  const rsdtAddress = place(buildRootTable('RSDT', described));
  const xsdtAddress = place(buildRootTable('XSDT', described));
  placed.unshift({ address: pcMemory.firmware, bytes: buildRsdp(rsdtAddress, xsdtAddress) });
  if (next > pcMemory.smbiosSearch) {
    const room = pcMemory.smbiosSearch - pcMemory.firmware;
    return fail('too-large', `The ACPI tables need more than ${room} bytes; give the machine fewer processors.`);
  }
  return ok({ rsdpAddress: pcMemory.firmware, tables: placed });
}

/** Builds the tables and writes them to guest memory. */
export function installAcpi(memory: GuestMemory, board: AcpiBoard): Result<AcpiTables, Failure<'too-large'>> {
  const built = buildAcpi(board);
  if (built.ok) for (const { address, bytes } of built.value.tables) memory.write(address, bytes);
  return built;
}
