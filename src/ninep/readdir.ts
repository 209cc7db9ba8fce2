/** Readdir: the entries of a directory, as many as fit. */
import { linuxErrno } from '../spec/linux-errno.ts';
import { linuxEntryType, ninepDataReplyBytes, ninepEntryBytes } from '../spec/ninep.ts';
import { ok } from '../support/result.ts';
import type { Context, Handler } from './context.ts';
import { type FileNode, type NodeKind, type OpenDirectory, type Outcome, refuse } from './file-tree.ts';
import { type Qid, writeQid } from './message.ts';

/** A client says where to go on by the number of entries before. `.` and `..` are the first two. */
const dotEntries = 2;
/** Entries looked up at a time. */
const batchEntries = 128;

export const readdir: Handler<'readdir'> = (context, { fid: number, offset, count }, room) =>
  context.fids.use(number, async ({ opened, node, qid }) => {
    if (opened === undefined || opened === 'opening') return refuse(linuxErrno.EBADF);
    if (opened.kind !== 'directory') return refuse(linuxErrno.ENOTDIR);
    if (offset > BigInt(Number.MAX_SAFE_INTEGER)) return ok({ data: new Uint8Array(0) });
    const list = new EntryList(Math.min(count, room - ninepDataReplyBytes));
    const first = Number(offset);
    if (first === 0 && !list.add('.', qid, 'directory', 1)) return refuse(linuxErrno.EINVAL);
    if (first < dotEntries) {
      const up = await parentQid(context, node);
      if (!up.ok) return up;
      if (!list.add('..', up.value, 'directory', dotEntries)) return list.reply();
    }
    return fill(context, opened.directory, list, Math.max(0, first - dotEntries));
  });

async function fill(
  { qids }: Context,
  directory: OpenDirectory,
  list: EntryList,
  first: number,
): Promise<Outcome<{ data: Uint8Array }>> {
  let next = first;
  for (;;) {
    const most = Math.min(batchEntries, list.mostEntries);
    if (most === 0) return list.reply();
    const entries = await directory.entries(next, most);
    if (!entries.ok) return entries;
    if (entries.value.length === 0) return ok({ data: list.bytes() });
    for (const { number, name, attributes } of entries.value) {
      next = number + 1;
      if (!list.add(name, qids.qidOf(attributes), attributes.kind, dotEntries + next)) return list.reply();
    }
  }
}

async function parentQid({ tree, qids }: Context, node: FileNode): Promise<Outcome<Qid>> {
  const parent = tree.parent(node);
  const attributes = await tree.attributes(parent);
  tree.release(parent);
  return attributes.ok ? ok(qids.qidOf(attributes.value)) : attributes;
}

class EntryList {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #length = 0;

  constructor(bytes: number) {
    this.#bytes = new Uint8Array(Math.max(0, bytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** How many entries there could be room for. */
  get mostEntries(): number {
    return Math.floor((this.#bytes.length - this.#length) / (ninepEntryBytes + 1));
  }

  /** @returns false when there is no room for it */
  add(name: string, qid: Qid, kind: NodeKind, nextOffset: number): boolean {
    const end = this.#length + ninepEntryBytes + name.length;
    if (end > this.#bytes.length) return false;
    const at = this.#length;
    writeQid(this.#view, at, qid);
    this.#view.setBigUint64(at + 13, BigInt(nextOffset), true);
    this.#view.setUint8(at + 21, entryType(kind));
    this.#view.setUint16(at + 22, name.length, true);
    for (let i = 0; i < name.length; i++) this.#bytes[at + ninepEntryBytes + i] = name.charCodeAt(i);
    this.#length = end;
    return true;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** There are more entries. An empty list would say that there are none. */
  reply(): Outcome<{ data: Uint8Array }> {
    return this.#length === 0 ? refuse(linuxErrno.EINVAL) : ok({ data: this.bytes() });
  }
}

function entryType(kind: NodeKind): number {
  if (kind === 'directory') return linuxEntryType.directory;
  if (kind === 'file') return linuxEntryType.regular;
  return kind === 'symlink' ? linuxEntryType.symlink : linuxEntryType.unknown;
}
