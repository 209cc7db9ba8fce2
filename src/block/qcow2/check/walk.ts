/** Counts what the tables of an image refer to, and finds pointers that cannot be right. */
import { qcow2EntryHigh, qcow2EntryLow } from '../../../spec/qcow2.ts';
import { ok, type Result } from '../../../support/result.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { type Cluster, decodeEntry, decodePart, entryOffset } from '../entry.ts';
import { hex } from '../failures.ts';
import { viewOf } from '../header.ts';
import type { CheckState } from './check-state.ts';

/** An L1 table, read; of the disk as it is or of a snapshot. */
export interface WalkedL1 {
  readonly name: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly active: boolean;
  /** Entries that point nowhere, by their place in the table. */
  readonly wrong: Set<number>;
}

/** First all tables, so that data that lies on one is found wherever it is mentioned. */
export async function countL2Tables(state: CheckState, l1: WalkedL1): Promise<Result<void, DiskFailure>> {
  const { clusterBytes, clusterBits } = state.geometry;
  const view = viewOf(l1.bytes);
  let changed = false;
  for (let at = 0; at < l1.bytes.length; at += 8) {
    const offset = l2Offset(view, at);
    if (offset === 0) continue;
    const cluster = offset / 2 ** clusterBits;
    const inside = state.isInside(offset, clusterBytes);
    // The same table may belong to several L1 tables; then it is counted that often.
    const shared = inside && state.l2Tables.has(cluster);
    if (inside && (shared || !state.tables.has(cluster))) {
      state.tables.add(cluster);
      state.l2Tables.add(cluster);
      state.counts.add(cluster);
      continue;
    }
    const repaired = state.repair === 'all';
    const where = inside ? 'on another table' : 'where none can be';
    state.pointerError(`entry ${at / 8} of ${l1.name} has an L2 table at ${hex(offset)}, ${where}`);
    if (repaired) l1.bytes.fill(0, at, at + 8);
    else l1.wrong.add(at);
    changed = repaired;
  }
  return changed ? state.file.write(l1.offset, l1.bytes) : ok(undefined);
}

/** Then what the L2 tables refer to. */
export async function countData(state: CheckState, l1: WalkedL1): Promise<Result<void, DiskFailure>> {
  const view = viewOf(l1.bytes);
  for (let at = 0; at < l1.bytes.length; at += 8) {
    const offset = l2Offset(view, at);
    if (offset === 0 || l1.wrong.has(at)) continue;
    const walked = await countTableData(state, offset, l1.active);
    if (!walked.ok) return walked;
  }
  return ok(undefined);
}

export function l2Offset(view: DataView, at: number): number {
  return entryOffset(view.getUint32(at), view.getUint32(at + 4));
}

async function countTableData(state: CheckState, table: number, active: boolean): Promise<Result<void, DiskFailure>> {
  const { geometry, file } = state;
  const bytes = new Uint8Array(geometry.clusterBytes);
  const read = await file.read(table, bytes);
  if (!read.ok) return read;
  const view = viewOf(bytes);
  let changed = false;
  let expected = 0;
  for (let at = 0; at < bytes.length; at += geometry.l2EntryBytes) {
    const [high, low] = [view.getUint32(at), view.getUint32(at + 4)];
    const entry = decodeEntry(high, low, geometry);
    const problem =
      typeof entry === 'string' ? entry : (problemOf(state, entry) ?? problemOfParts(state, view, at, entry));
    if (problem !== undefined) {
      state.pointerError(`the L2 table at ${hex(table)} has ${problem}`);
      bytes.fill(0, at, at + geometry.l2EntryBytes);
      changed = true;
      continue;
    }
    const cluster = entry as Cluster;
    if (reservedBits(high, low)) state.error(`the L2 table at ${hex(table)} has reserved bits set`, false);
    if (cluster.host === 0) continue;
    state.count(cluster.host, cluster.hostBytes);
    if (!active) continue;
    state.allocated++;
    if (cluster.kind === 'compressed') state.compressed++;
    // Compressed clusters count as scattered, as qemu-img has it.
    if (cluster.kind === 'compressed' || (expected !== 0 && cluster.host !== expected)) state.fragmented++;
    expected = cluster.host + cluster.hostBytes;
  }
  return changed && state.repair === 'all' ? file.write(table, bytes) : ok(undefined);
}

function problemOf(state: CheckState, { kind, host, hostBytes }: Cluster): string | undefined {
  if (host === 0) return undefined;
  const what = kind === 'compressed' ? 'a compressed cluster' : 'a data cluster';
  if (kind === 'compressed' ? host >= state.endBytes : !state.isInside(host, hostBytes)) {
    return `${what} at ${hex(host)}, outside the file`;
  }
  return state.touchesTable(host, hostBytes) ? `${what} at ${hex(host)}, on a table of the image` : undefined;
}

/** What an extended entry says of the parts of a cluster has to go together. */
function problemOfParts({ geometry }: CheckState, view: DataView, at: number, cluster: Cluster): string | undefined {
  if (geometry.unitsPerCluster === 1) return undefined;
  const bitmaps = { zeroed: view.getUint32(at + 8), allocated: view.getUint32(at + 12) };
  if (cluster.kind === 'compressed') {
    return bitmaps.zeroed === 0 && bitmaps.allocated === 0 ? undefined : 'a compressed cluster with parts';
  }
  for (let part = 0; part < geometry.unitsPerCluster; part++) {
    const decoded = decodePart(cluster, bitmaps, part, geometry.unitBytes);
    if (typeof decoded === 'string') return decoded;
  }
  return undefined;
}

function reservedBits(high: number, low: number): boolean {
  if ((high & qcow2EntryHigh.compressed) !== 0) return false;
  return (high & qcow2EntryHigh.reservedMask) !== 0 || (low & qcow2EntryLow.reservedMask) !== 0;
}
