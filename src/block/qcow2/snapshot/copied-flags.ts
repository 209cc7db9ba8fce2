/** The flags in the active tables that tell which clusters are the image's own. */
import { qcow2EntryHigh, qcow2EntryLow } from '../../../spec/qcow2.ts';
import { ok, type Result } from '../../../support/result.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { entryOffset } from '../entry.ts';
import type { Qcow2Image } from '../image.ts';

/** @param isOwn tells of the cluster at an offset of the file whether it has one user. The caller holds the disk. */
export async function setCopiedFlags(
  image: Qcow2Image,
  isOwn: (offset: number) => Promise<Result<boolean, DiskFailure>>,
): Promise<Result<void, DiskFailure>> {
  const { map, geometry } = image;
  const { l1 } = map;
  for (let index = 0; index < l1.entries; index++) {
    const table = map.tableAt(index * geometry.l2CoverageBytes);
    if (!table.ok) return table;
    if (table.value === 0) continue;
    const own = await isOwn(table.value);
    if (!own.ok) return own;
    // What is in a table that is shared is shared, too, and says so already.
    const changes = own.value || l1.isOwn(index);
    if (l1.isOwn(index) !== own.value) l1.set(index, table.value, own.value);
    const set = changes ? await setInTable(image, table.value, isOwn) : ok(undefined);
    if (!set.ok) return set;
  }
  return ok(undefined);
}

async function setInTable(
  image: Qcow2Image,
  table: number,
  isOwn: (offset: number) => Promise<Result<boolean, DiskFailure>>,
): Promise<Result<void, DiskFailure>> {
  const { cache } = image.map;
  const { clusterBytes, l2EntryBytes } = image.geometry;
  for (let at = table; at < table + clusterBytes; at += l2EntryBytes) {
    const loaded = await cache.load(at);
    if (!loaded.ok) return loaded;
    const { view, offset } = loaded.value;
    const high = view.getUint32(at - offset);
    const host = entryOffset(high, view.getUint32(at - offset + 4) & qcow2EntryLow.offsetMask);
    // What is damaged stays as it is: whoever reads it hears of it.
    const unaligned = host % clusterBytes !== 0;
    if (host === 0 || unaligned || (high & qcow2EntryHigh.compressed) !== 0) continue;
    const own = await isOwn(host);
    if (!own.ok) return own;
    const wanted = own.value ? (high | qcow2EntryHigh.copied) >>> 0 : (high & ~qcow2EntryHigh.copied) >>> 0;
    if (wanted === high) continue;
    // The slice may have gone while the counts were asked.
    const again = await cache.load(at);
    if (!again.ok) return again;
    again.value.view.setUint32(at - again.value.offset, wanted);
    cache.markDirty(again.value);
  }
  return ok(undefined);
}
