/** Where new refcount blocks go: they are the first clusters that they count themselves. */
import { qcow2Limit } from '../../spec/qcow2.ts';
import type { Geometry } from './geometry.ts';
import type { NewBlocks, RefcountTable } from './refcount-table.ts';

/** Blocks of small clusters count little: as many at a time as fit here, as each time takes a flush. */
const batchBytes = 32 * 1024;

/** @returns undefined if the table would become larger than QEMU accepts */
export function planBlocks(geometry: Geometry, table: RefcountTable, wanted: number): NewBlocks | undefined {
  const { clusterBytes, refcountsPerBlock } = geometry;
  const first = table.usedEntries;
  const place = first * refcountsPerBlock;
  const most = Math.max(qcow2Limit.maxRefcountTableBytes, clusterBytes);
  for (let blocks = Math.max(1, Math.floor(batchBytes / clusterBytes)); ; blocks++) {
    const needed = first + blocks;
    let tableClusters = 0;
    if (needed > table.entries) {
      const ample = Math.min(Math.ceil(table.entries * 1.5), most / 8);
      tableClusters = Math.ceil((Math.max(needed, ample) * 8) / clusterBytes);
      if (tableClusters * clusterBytes > most) return undefined;
    }
    if (blocks + tableClusters + wanted <= blocks * refcountsPerBlock) return { first, blocks, place, tableClusters };
  }
}
