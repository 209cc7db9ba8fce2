/** Everything that hangs on one L1 table. */
import { ok, type Result } from '../../../support/result.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { decodeEntry } from '../entry.ts';
import { corrupt, hex } from '../failures.ts';
import { viewOf } from '../header.ts';
import type { Qcow2Image } from '../image.ts';
import type { L1Table } from '../l1-table.ts';

/** Called for each L2 table, and for stretches of data; compressed data comes one by one. */
export type TreeVisitor = (offset: number, length: number) => Promise<Result<void, DiskFailure>>;

/** The caller holds the disk exclusively and has committed: the file has what memory has. */
export async function walkTree(image: Qcow2Image, l1: L1Table, visit: TreeVisitor): Promise<Result<void, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  for (let index = 0; index < l1.entries; index++) {
    const offset = l1.tableOffset(index);
    if (offset === 0) continue;
    if (offset % clusterBytes !== 0 || offset >= image.writable.refcounts.endBytes) {
      return corrupt(image.name, `an L2 table is misplaced at ${hex(offset)}`);
    }
    const visited = await visit(offset, clusterBytes);
    const walked = visited.ok ? await walkTable(image, offset, visit) : visited;
    if (!walked.ok) return walked;
  }
  return ok(undefined);
}

async function walkTable(image: Qcow2Image, offset: number, visit: TreeVisitor): Promise<Result<void, DiskFailure>> {
  const { geometry, header, file } = image;
  const bytes = new Uint8Array(geometry.clusterBytes);
  const read = await file.read(offset, bytes);
  if (!read.ok) return read;
  const view = viewOf(bytes);
  let start = 0;
  let length = 0;
  for (let at = 0; at < bytes.length; at += geometry.l2EntryBytes) {
    const entry = decodeEntry(view.getUint32(at), view.getUint32(at + 4), header.version, geometry.clusterBits);
    if (typeof entry === 'string') return corrupt(image.name, `its L2 table at ${hex(offset)} has ${entry}`);
    if (entry.host === 0) continue;
    if (entry.kind !== 'compressed' && length > 0 && entry.host === start + length) {
      length += entry.hostBytes;
      continue;
    }
    const visited = length > 0 ? await visit(start, length) : ok(undefined);
    if (!visited.ok) return visited;
    start = entry.host;
    length = entry.hostBytes;
    if (entry.kind !== 'compressed') continue;
    const alone = await visit(start, length);
    if (!alone.ok) return alone;
    length = 0;
  }
  return length > 0 ? visit(start, length) : ok(undefined);
}
