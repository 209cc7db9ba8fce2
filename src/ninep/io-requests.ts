/** Requests about what is in files and directories. */
import { linuxErrno } from '../spec/linux-errno.ts';
import { ninepDataReplyBytes, ninepIoHeaderBytes, ninepLockStatus, ninepLockType, ninepOpen } from '../spec/ninep.ts';
import { mapResult, ok } from '../support/result.ts';
import { allowedMode, changeDirectory, type Handler } from './context.ts';
import type { Fid } from './fids.ts';
import { type FileTree, type OpenMode, type Outcome, refuse } from './file-tree.ts';

/** Reads and writes of whole pages stay whole pages. */
const ioUnitBytes = 4096;
const largestOffset = BigInt(Number.MAX_SAFE_INTEGER);

export const lopen: Handler<'lopen'> = (context, { fid: number, flags }) =>
  context.fids.use(number, async (fid) => {
    const mode = modeOf(flags);
    if (mode === undefined || fid.opened !== undefined) return refuse(linuxErrno.EINVAL);
    if (context.options.readOnly && (mode.write || mode.truncate)) return refuse(linuxErrno.EROFS);
    fid.opened = 'opening';
    const opened = await open(context.tree, fid, mode, (flags & ninepOpen.directory) !== 0);
    fid.opened = opened.ok ? opened.value : undefined;
    return mapResult(opened, () => ({ qid: fid.qid, ioUnit: ioUnit(context.msize) }));
  });

async function open(
  tree: FileTree,
  { node }: Fid,
  mode: OpenMode,
  wantsDirectory: boolean,
): Promise<Outcome<Exclude<Fid['opened'], 'opening'>>> {
  if (node.kind === 'directory') {
    if (mode.write || mode.truncate) return refuse(linuxErrno.EISDIR);
    return mapResult(await tree.openDirectory(node), (directory) => ({ kind: 'directory', directory }));
  }
  if (wantsDirectory) return refuse(linuxErrno.ENOTDIR);
  if (node.kind === 'symlink') return refuse(linuxErrno.ELOOP);
  // Opening the host's devices and pipes would act on the host, or wait for it.
  if (node.kind === 'other') return refuse(linuxErrno.ENXIO);
  return mapResult(await tree.open(node, mode), (file) => ({ kind: 'file', file }));
}

/** The fid of the directory becomes that of the new file. */
export const lcreate: Handler<'lcreate'> = (context, { fid: number, name, flags, mode: permissions }) =>
  changeDirectory(context, number, [name], (directory) =>
    context.fids.use(number, async (fid) => {
      const mode = modeOf(flags);
      if (mode === undefined || fid.opened !== undefined) return refuse(linuxErrno.EINVAL);
      const exclusive = (flags & ninepOpen.exclusive) !== 0;
      const created = await context.tree.create(
        directory,
        name,
        { ...mode, exclusive },
        allowedMode(permissions, 'file'),
      );
      if (!created.ok) return created;
      const { node, attributes, file } = created.value;
      const qid = context.qids.qidOf(attributes);
      const replaced = await context.fids.replace(number, node, qid, { kind: 'file', file });
      return mapResult(replaced, () => ({ qid, ioUnit: ioUnit(context.msize) }));
    }),
  );

/** Linux asks for at most that much at a time. */
function ioUnit(msize: number): number {
  const most = msize - ninepIoHeaderBytes;
  return most - (most % ioUnitBytes);
}

/** @returns undefined for an access mode that is none */
function modeOf(flags: number): OpenMode | undefined {
  const access = flags & ninepOpen.accessMask;
  if (access === ninepOpen.accessMask) return undefined;
  const all = (flags & ninepOpen.sync) !== 0;
  return {
    read: access !== ninepOpen.writeOnly,
    write: access !== ninepOpen.readOnly,
    append: (flags & ninepOpen.append) !== 0,
    truncate: (flags & ninepOpen.truncate) !== 0,
    sync: all ? 'all' : (flags & ninepOpen.dataSync) !== 0 ? 'data' : 'none',
  };
}

export const read: Handler<'read'> = ({ fids }, { fid, offset, count }, room) =>
  fids.use(fid, async ({ opened }) => {
    if (opened === undefined || opened === 'opening') return refuse(linuxErrno.EBADF);
    if (opened.kind === 'directory') return refuse(linuxErrno.EISDIR);
    if (opened.kind === 'attribute-list' || offset > largestOffset) return ok({ data: new Uint8Array(0) });
    const data = new Uint8Array(Math.max(0, Math.min(count, room - ninepDataReplyBytes)));
    return mapResult(await opened.file.read(Number(offset), data), (bytes) => ({ data: data.subarray(0, bytes) }));
  });

export const write: Handler<'write'> = ({ fids, options }, { fid, offset, data }) =>
  fids.use(fid, async ({ opened }) => {
    if (opened === undefined || opened === 'opening' || opened.kind !== 'file') return refuse(linuxErrno.EBADF);
    if (options.readOnly) return refuse(linuxErrno.EROFS);
    if (offset + BigInt(data.length) > largestOffset) return refuse(linuxErrno.EFBIG);
    return mapResult(await opened.file.write(Number(offset), data), (count) => ({ count }));
  });

export const fsync: Handler<'fsync'> = ({ fids }, { fid, dataOnly }) =>
  fids.use(fid, async ({ opened }) => {
    if (opened === undefined || opened === 'opening') return refuse(linuxErrno.EBADF);
    if (opened.kind === 'file') return mapResult(await opened.file.sync(dataOnly !== 0), () => ({}));
    if (opened.kind === 'directory') return mapResult(await opened.directory.sync(dataOnly !== 0), () => ({}));
    return ok({});
  });

/**
 * A session has one client, whose kernel has settled all conflicts between its processes before it asks. So a lock is
 * always granted. Processes of the host do not see it.
 */
export const lock: Handler<'lock'> = ({ fids }, { fid, type }) =>
  fids.use(fid, async ({ opened }) => {
    if (opened === undefined || opened === 'opening') return refuse(linuxErrno.EBADF);
    if (type > ninepLockType.unlock) return refuse(linuxErrno.EINVAL);
    return ok({ status: ninepLockStatus.success });
  });

export const getlock: Handler<'getlock'> = ({ fids }, { fid, type, start, length, processId, clientId }) =>
  fids.use(fid, async ({ opened }) => {
    if (opened === undefined || opened === 'opening') return refuse(linuxErrno.EBADF);
    if (type > ninepLockType.unlock) return refuse(linuxErrno.EINVAL);
    return ok({ type: ninepLockType.unlock, start, length, processId, clientId });
  });
