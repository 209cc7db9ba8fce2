/** Finds what an image contradicts itself in, and mends what can be mended. */
import { qcow2Header, qcow2Incompatible } from '../../../spec/qcow2.ts';
import { ok, type Result } from '../../../support/result.ts';
import { shownName } from '../../../support/shown-name.ts';
import type { BlockFile } from '../../block-file.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { corrupt } from '../failures.ts';
import { encodeFixedHeader } from '../header.ts';
import { readHeader } from '../image.ts';
import { loadSnapshots, type Snapshot } from '../snapshot/snapshot-table.ts';
import { countBitmaps } from './bitmaps.ts';
import { type CheckReport, CheckState, type Repair } from './check-state.ts';
import { compareCounts, compareFlags, countRefcountBlocks } from './compare.ts';
import { rebuildRefcounts } from './rebuild.ts';
import { countData, countL2Tables, type WalkedL1 } from './walk.ts';

export interface CheckOptions {
  readonly repair: Repair;
  /** Called with numbers that grow up to 1. */
  readonly onProgress?: (part: number) => void;
}

/**
 * Nobody else may use the image meanwhile.
 * @param file open for writing if anything is to be repaired
 * @returns the report; after repairs, what is still wrong and how much was mended
 */
export async function checkQcow2(file: BlockFile, options: CheckOptions): Promise<Result<CheckReport, DiskFailure>> {
  const first = await checkOnce(file, options.repair, options.onProgress);
  if (!first.ok || options.repair === 'none') return first;
  const flushed = await file.flush();
  if (!flushed.ok) return flushed;
  const again = await checkOnce(file, 'none', options.onProgress);
  if (!again.ok) return again;
  const { repairedErrors, repairedLeaks, problems } = first.value;
  if (again.value.errors === 0 && options.repair !== 'leaks') {
    const cleared = await clearMarks(file, options.repair);
    if (!cleared.ok) return cleared;
  }
  return ok({ ...again.value, repairedErrors, repairedLeaks, problems });
}

async function checkOnce(
  file: BlockFile,
  repair: Repair,
  onProgress: (part: number) => void = () => {},
): Promise<Result<CheckReport, DiskFailure>> {
  const header = await readHeader(file);
  if (!header.ok) return header;
  const size = await file.size();
  if (!size.ok) return size;
  const snapshots = await loadSnapshots(file, header.value);
  if (!snapshots.ok) return snapshots;
  const state = new CheckState(file, header.value, size.value, repair);
  state.countTable('the header', 0, state.geometry.clusterBytes);
  state.countTable('the table of snapshots', header.value.snapshotsOffset, snapshots.value.tableBytes);
  const tables = await loadL1Tables(state, snapshots.value.snapshots);
  if (!tables.ok) return tables;
  const bitmaps = await countBitmaps(state);
  if (!bitmaps.ok) return bitmaps;
  const steps = tables.value.length * 2 + 2;
  let step = 0;
  for (const count of [countL2Tables, countData]) {
    for (const table of tables.value) {
      const counted = await count(state, table);
      if (!counted.ok) return counted;
      onProgress(++step / steps);
    }
  }
  // Last: where two claim a cluster, refcounts can be made anew, and nothing else can.
  const blocks = await countRefcountBlocks(state);
  if (!blocks.ok) return blocks;
  const compared = await compareCounts(state, blocks.value);
  if (!compared.ok) return compared;
  const rebuilds = state.repairsErrors && (blocks.value.broken || !compared.value);
  const rebuilt = rebuilds ? await rebuildRefcounts(state, blocks.value.clusters) : ok(undefined);
  if (!rebuilt.ok) return rebuilt;
  onProgress(++step / steps);
  for (const table of tables.value.filter(({ active }) => active)) {
    const flagged = await compareFlags(state, table);
    if (!flagged.ok) return flagged;
  }
  onProgress(1);
  return ok(state.report());
}

async function loadL1Tables(
  state: CheckState,
  snapshots: readonly Snapshot[],
): Promise<Result<WalkedL1[], DiskFailure>> {
  const { header, file } = state;
  const named = [
    { name: 'the L1 table', offset: header.l1TableOffset, entries: header.l1Size, active: true },
    ...snapshots.map(({ name, l1TableOffset, l1Size }) => ({
      name: `the L1 table of snapshot "${shownName(name)}"`,
      offset: l1TableOffset,
      entries: l1Size,
      active: false,
    })),
  ];
  const tables: WalkedL1[] = [];
  for (const { name, offset, entries, active } of named) {
    // Without it, all that it refers to would look like a leak.
    if (!state.countTable(name, offset, entries * 8))
      return corrupt(file.name, `${name} is misplaced; nothing was changed`);
    const bytes = new Uint8Array(entries * 8);
    const read = await file.read(offset, bytes);
    if (!read.ok) return read;
    tables.push({ name, offset, bytes, active, wrong: new Set() });
  }
  return ok(tables);
}

/** An image that was found to be in order is no longer marked as dirty, and after a full repair not as corrupt. */
async function clearMarks(file: BlockFile, repair: Repair): Promise<Result<void, DiskFailure>> {
  const header = await readHeader(file);
  if (!header.ok) return header;
  const { dirty, corrupt: damaged } = qcow2Incompatible;
  const incompatible = header.value.incompatible & ~(repair === 'all' ? dirty | damaged : dirty);
  if (incompatible === header.value.incompatible) return ok(undefined);
  const bytes = encodeFixedHeader({ ...header.value, incompatible });
  const from = qcow2Header.incompatibleFeatures;
  const written = await file.write(from, bytes.subarray(from, qcow2Header.compatibleFeatures));
  return written.ok ? file.flush() : written;
}
