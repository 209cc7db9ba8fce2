/** Requests that change which names there are. New files belong to the user who shares the folder. */
import { linuxErrno } from '../spec/linux-errno.ts';
import { linuxMode, ninepUnlink } from '../spec/ninep.ts';
import { mapResult } from '../support/result.ts';
import { allowedMode, changeDirectory, type Handler } from './context.ts';
import { type OpenMode, refuse } from './file-tree.ts';

export const mkdir: Handler<'mkdir'> = (context, { directoryFid, name, mode }) =>
  changeDirectory(context, directoryFid, [name], async (directory) =>
    mapResult(await context.tree.makeDirectory(directory, name, allowedMode(mode, 'directory')), (attributes) => ({
      qid: context.qids.qidOf(attributes),
    })),
  );

export const symlink: Handler<'symlink'> = (context, { directoryFid, name, target }) =>
  changeDirectory(context, directoryFid, [name], async (directory) => {
    if (target === '' || target.includes('\0')) return refuse(linuxErrno.EINVAL);
    return mapResult(await context.tree.makeSymlink(directory, name, target), (attributes) => ({
      qid: context.qids.qidOf(attributes),
    }));
  });

const plainWrite: OpenMode = { read: false, write: true, append: false, truncate: false, sync: 'none' };

/** Regular files alone: a device, pipe or socket that a guest makes has no place on the host. */
export const mknod: Handler<'mknod'> = (context, { directoryFid, name, mode }) =>
  changeDirectory(context, directoryFid, [name], async (directory) => {
    const type = mode & linuxMode.typeMask;
    if (type !== linuxMode.regular && type !== 0) return refuse(linuxErrno.EPERM);
    const { tree, qids } = context;
    const created = await tree.create(directory, name, { ...plainWrite, exclusive: true }, allowedMode(mode, 'file'));
    if (!created.ok) return created;
    const { node, attributes, file } = created.value;
    tree.release(node);
    return mapResult(await file.close(), () => ({ qid: qids.qidOf(attributes) }));
  });

export const link: Handler<'link'> = (context, { directoryFid, fid, name }) =>
  changeDirectory(context, directoryFid, [name], (directory) =>
    context.fids.use(fid, async ({ node }) => mapResult(await context.tree.link(node, directory, name), () => ({}))),
  );

export const rename: Handler<'rename'> = (context, { fid, directoryFid, name }) =>
  changeDirectory(context, directoryFid, [name], (directory) =>
    context.fids.use(fid, async ({ node }) => {
      const place = context.tree.place(node);
      if (place === undefined) return refuse(linuxErrno.EBUSY);
      return mapResult(await context.tree.rename(place, { directory, name }), () => ({}));
    }),
  );

export const renameat: Handler<'renameat'> = (context, request) =>
  changeDirectory(context, request.oldDirectoryFid, [request.oldName], (oldDirectory) =>
    changeDirectory(context, request.newDirectoryFid, [request.newName], async (newDirectory) => {
      const from = { directory: oldDirectory, name: request.oldName };
      const to = { directory: newDirectory, name: request.newName };
      return mapResult(await context.tree.rename(from, to), () => ({}));
    }),
  );

export const unlinkat: Handler<'unlinkat'> = (context, { directoryFid, name, flags }) =>
  changeDirectory(context, directoryFid, [name], async (directory) => {
    if ((flags & ~ninepUnlink.removeDirectory) !== 0) return refuse(linuxErrno.EINVAL);
    const kind = flags & ninepUnlink.removeDirectory ? 'directory' : 'file';
    return mapResult(await context.tree.remove(directory, name, kind), () => ({}));
  });
