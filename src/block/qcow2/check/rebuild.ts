/** Makes all refcounts anew, behind everything that is in use. */
import { qcow2Header, qcow2Limit } from '../../../spec/qcow2.ts';
import { ok, type Result } from '../../../support/result.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { unsupported } from '../failures.ts';
import { setU64, viewOf } from '../header.ts';
import { refcountCodec } from '../refcount-codec.ts';
import type { CheckState } from './check-state.ts';

/** @param old clusters of the refcount table and its blocks, which nobody needs then */
export async function rebuildRefcounts(state: CheckState, old: readonly number[]): Promise<Result<void, DiskFailure>> {
  const { geometry, file, counts } = state;
  const { clusterBytes, refcountsPerBlock } = geometry;
  for (const cluster of old) counts.set(cluster, counts.get(cluster) - 1);
  const start = state.endBytes / clusterBytes;
  let blocks = 1;
  let tableClusters = 1;
  while (start + blocks + tableClusters > blocks * refcountsPerBlock) {
    blocks = Math.ceil((start + blocks + tableClusters) / refcountsPerBlock);
    tableClusters = Math.ceil((blocks * 8) / clusterBytes);
  }
  if (tableClusters * clusterBytes > Math.max(qcow2Limit.maxRefcountTableBytes, clusterBytes)) {
    return unsupported(file.name, 'it is too large for refcounts of this width');
  }
  for (let index = 0; index < blocks + tableClusters; index++) counts.set(start + index, 1);
  const codec = refcountCodec(geometry.refcountBits);
  for (let block = 0; block < blocks; block++) {
    const bytes = new Uint8Array(clusterBytes);
    const view = viewOf(bytes);
    for (let entry = 0; entry < refcountsPerBlock; entry++) {
      // What is not given back keeps its count.
      const cluster = block * refcountsPerBlock + entry;
      const count = Math.max(counts.get(cluster), state.stored.get(cluster) ?? 0);
      if (count > 0) codec.set(view, entry, Math.min(count, geometry.maxRefcount));
    }
    const written = await file.write((start + block) * clusterBytes, bytes);
    if (!written.ok) return written;
  }
  const table = new Uint8Array(tableClusters * clusterBytes);
  for (let block = 0; block < blocks; block++) setU64(viewOf(table), block * 8, (start + block) * clusterBytes);
  const tableOffset = (start + blocks) * clusterBytes;
  const written = await file.write(tableOffset, table);
  const flushed = written.ok ? await file.flush() : written;
  if (!flushed.ok) return flushed;
  const fields = new Uint8Array(12);
  setU64(viewOf(fields), 0, tableOffset);
  viewOf(fields).setUint32(8, tableClusters);
  const switched = await file.write(qcow2Header.refcountTableOffset, fields);
  return switched.ok ? ok(undefined) : switched;
}
