/** Page tables that map the first 4 GiB one to one by 2-MiB pages. SDM Vol. 3A 4.5. */
import type { GuestMemory } from '../memory/guest-memory.ts';
import { pageSize } from '../memory/guest-memory.ts';
import { pte } from '../spec/x86/paging.ts';

const gibibytes = 4;
const entriesPerTable = 512;
const largePage = 0x20_0000;

/** One PML4, one PDPT, one page directory per gibibyte. */
export const identityPagingBytes = (2 + gibibytes) * pageSize;

/** Writes the tables to `address` (page-aligned); it is the value for CR3. */
export function writeIdentityPaging(memory: GuestMemory, address: number): void {
  const pdpt = address + pageSize;
  const directories = pdpt + pageSize;
  memory.write(address, new Uint8Array(identityPagingBytes));
  const table = BigInt(pte.present | pte.writable);
  memory.writeU64(address, BigInt(pdpt) | table);
  for (let index = 0; index < gibibytes; index++) {
    memory.writeU64(pdpt + index * 8, BigInt(directories + index * pageSize) | table);
  }
  for (let index = 0; index < gibibytes * entriesPerTable; index++) {
    memory.writeU64(directories + index * 8, BigInt(index * largePage) | table | BigInt(pte.pageSize));
  }
}
