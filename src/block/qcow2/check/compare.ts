/** Compares what is counted with what is used, and the flags that follow from it. */
import { qcow2EntryHigh } from '../../../spec/qcow2.ts';
import { ok, type Result } from '../../../support/result.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { entryOffset } from '../entry.ts';
import { hex } from '../failures.ts';
import { getU64, viewOf } from '../header.ts';
import { refcountCodec } from '../refcount-codec.ts';
import type { CheckState } from './check-state.ts';
import { l2Offset, type WalkedL1 } from './walk.ts';

export interface RefcountBlocks {
  /** By index; 0 where there is none that can be used. */
  readonly offsets: readonly number[];
  /** Clusters of the table and its blocks. */
  readonly clusters: readonly number[];
  /** Whether some of them are where they cannot be. */
  readonly broken: boolean;
}

/** Counts the refcount table and the blocks that it names. */
export async function countRefcountBlocks(state: CheckState): Promise<Result<RefcountBlocks, DiskFailure>> {
  const { header, geometry, file } = state;
  const bytes = new Uint8Array(header.refcountTableClusters * geometry.clusterBytes);
  const clusters: number[] = [];
  let broken = false;
  const claim = (what: string, offset: number, length: number): boolean => {
    const taken = claimTable(state, what, offset, length);
    if (taken === undefined) broken = true;
    else for (const cluster of taken) clusters.push(cluster);
    return taken !== undefined;
  };
  const readable = claim('the refcount table', header.refcountTableOffset, bytes.length);
  const read = readable ? await file.read(header.refcountTableOffset, bytes) : ok(undefined);
  if (!read.ok) return read;
  const offsets: number[] = [];
  for (let index = 0; index < bytes.length / 8; index++) {
    const offset = getU64(viewOf(bytes), index * 8);
    const usable = offset !== 0 && claim(`refcount block ${index}`, offset, geometry.clusterBytes);
    offsets.push(usable ? offset : 0);
  }
  return ok({ offsets, clusters, broken });
}

/** @returns its clusters; undefined where it lies outside the file or on something that is in use */
function claimTable(state: CheckState, what: string, offset: number, length: number): number[] | undefined {
  const { clusterBytes } = state.geometry;
  const first = offset / clusterBytes;
  const clusters = Array.from({ length: length / clusterBytes }, (_, index) => first + index);
  const inside = state.isInside(offset, length);
  if (!inside || clusters.some((cluster) => state.counts.get(cluster) > 0)) {
    const where = inside ? 'on clusters that are in use' : 'outside the file';
    state.error(`${what} lies at ${hex(offset)}, ${where}`, state.repairsErrors);
    return undefined;
  }
  for (const cluster of clusters) state.counts.add(cluster);
  return clusters;
}

/** @returns whether every cluster in use has a block to be counted in */
export async function compareCounts(state: CheckState, blocks: RefcountBlocks): Promise<Result<boolean, DiskFailure>> {
  const { refcountsPerBlock } = state.geometry;
  let covered = true;
  for (const cluster of state.counts.clusters()) {
    const block = Math.floor(cluster / refcountsPerBlock);
    if ((blocks.offsets[block] ?? 0) !== 0) continue;
    covered = false;
    if (!state.repairsErrors) state.stored.set(cluster, 0);
    state.error(`cluster ${cluster} is used ${state.counts.get(cluster)} times and not counted`, state.repairsErrors);
  }
  for (let index = 0; index < blocks.offsets.length; index++) {
    const offset = blocks.offsets[index] ?? 0;
    const compared = offset === 0 ? ok(undefined) : await compareBlock(state, index, offset);
    if (!compared.ok) return compared;
  }
  return ok(covered);
}

async function compareBlock(state: CheckState, index: number, offset: number): Promise<Result<void, DiskFailure>> {
  const { geometry, file, counts } = state;
  const codec = refcountCodec(geometry.refcountBits);
  const bytes = new Uint8Array(geometry.clusterBytes);
  const read = await file.read(offset, bytes);
  if (!read.ok) return read;
  const view = viewOf(bytes);
  let changed = false;
  for (let entry = 0; entry < geometry.refcountsPerBlock; entry++) {
    const cluster = index * geometry.refcountsPerBlock + entry;
    const used = counts.get(cluster);
    const stored = codec.get(view, entry);
    if (stored === used) continue;
    const leak = stored > used;
    const repaired = (leak ? state.repairsLeaks : state.repairsErrors) && used <= geometry.maxRefcount;
    const problem = `cluster ${cluster} is counted ${stored} times and used ${used} times`;
    if (leak) state.leak(problem, repaired);
    else state.error(problem, repaired);
    if (!repaired) state.stored.set(cluster, stored);
    if (!repaired) continue;
    codec.set(view, entry, used);
    changed = true;
  }
  return changed ? file.write(offset, bytes) : ok(undefined);
}

/** The flag of a pointer says whether the count of its target is one. */
export async function compareFlags(state: CheckState, l1: WalkedL1): Promise<Result<void, DiskFailure>> {
  const { geometry, file } = state;
  const view = viewOf(l1.bytes);
  let changed = false;
  for (let at = 0; at < l1.bytes.length; at += 8) {
    const offset = l2Offset(view, at);
    if (offset === 0 || l1.wrong.has(at)) continue;
    if (compareFlag(state, view, at, offset, `entry ${at / 8} of ${l1.name}`)) changed = true;
    const bytes = new Uint8Array(geometry.clusterBytes);
    const read = await file.read(offset, bytes);
    if (!read.ok) return read;
    const table = viewOf(bytes);
    let tableChanged = false;
    for (let entry = 0; entry < bytes.length; entry += geometry.l2EntryBytes) {
      const high = table.getUint32(entry);
      const host = entryOffset(high, table.getUint32(entry + 4));
      if ((high & qcow2EntryHigh.compressed) !== 0 || !state.isInside(host, geometry.clusterBytes)) continue;
      if (compareFlag(state, table, entry, host, `the L2 table at ${hex(offset)}`)) tableChanged = true;
    }
    const written = tableChanged ? await file.write(offset, bytes) : ok(undefined);
    if (!written.ok) return written;
  }
  return changed ? file.write(l1.offset, l1.bytes) : ok(undefined);
}

/** @returns whether it has mended the entry */
function compareFlag(state: CheckState, view: DataView, at: number, target: number, where: string): boolean {
  const high = view.getUint32(at);
  const cluster = target / state.geometry.clusterBytes;
  const count = state.stored.get(cluster) ?? state.counts.get(cluster);
  const flag = (high & qcow2EntryHigh.copied) !== 0;
  if (flag === (count === 1)) return false;
  // A leak that was repaired may leave a cluster its last user's own.
  const repaired = state.repairsErrors || (state.repair === 'leaks' && !flag);
  const says = flag ? 'is not shared' : 'is shared';
  state.error(`${where} says that cluster ${cluster} ${says}, and it is counted ${count} times`, repaired);
  if (repaired) view.setUint32(at, (high ^ qcow2EntryHigh.copied) >>> 0);
  return repaired;
}
