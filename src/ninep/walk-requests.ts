/** Requests that give fids and take them back. */
import { linuxErrno } from '../spec/linux-errno.ts';
import { ninepNoFid } from '../spec/ninep.ts';
import { mapResult, ok } from '../support/result.ts';
import { type Context, type Handler, wrongName } from './context.ts';
import { type FileNode, type Found, type Outcome, refuse } from './file-tree.ts';
import type { Qid } from './message.ts';

/** There is one tree and nobody to prove who they are to: the guest is one user, the one who shares the folder. */
export const auth: Handler<'auth'> = async () => refuse(linuxErrno.EOPNOTSUPP);

export const attach: Handler<'attach'> = async ({ tree, fids, qids }, { fid, authFid, treeName }) => {
  if (authFid !== ninepNoFid) return refuse(linuxErrno.EBADF);
  if (treeName !== '' && treeName !== '/') return refuse(linuxErrno.ENOENT);
  const root = await tree.root();
  if (!root.ok) return root;
  const qid = qids.qidOf(root.value.attributes);
  return mapResult(await fids.add(fid, root.value.node, qid), () => ({ qid }));
};

/** Fails if not even the first name is there; otherwise tells how far it came, and gives a fid only for all of it. */
export const walk: Handler<'walk'> = async (context, { fid: number, newFid, names }) => {
  const { tree, fids, qids } = context;
  if (newFid !== number && fids.has(newFid)) return refuse(linuxErrno.EINVAL);
  return fids.use(number, async (fid) => {
    let { node, qid } = fid;
    tree.retain(node);
    const met: Qid[] = [];
    for (const name of names) {
      const next = await step(context, node, name);
      tree.release(node);
      if (!next.ok) return met.length === 0 ? next : ok({ qids: met });
      node = next.value.node;
      qid = qids.qidOf(next.value.attributes);
      met.push(qid);
    }
    const added = newFid === number ? await fids.replace(number, node, qid) : await fids.add(newFid, node, qid);
    return mapResult(added, () => ({ qids: met }));
  });
};

async function step({ tree }: Context, directory: FileNode, name: string): Promise<Outcome<Found>> {
  if (directory.kind !== 'directory') return refuse(linuxErrno.ENOTDIR);
  if (name !== '..') {
    const wrong = wrongName(name);
    return wrong === undefined ? tree.lookup(directory, name) : refuse(wrong);
  }
  const node = tree.parent(directory);
  const attributes = await tree.attributes(node);
  if (attributes.ok) return ok({ node, attributes: attributes.value });
  tree.release(node);
  return attributes;
}

export const clunk: Handler<'clunk'> = async ({ fids }, { fid }) => mapResult(await fids.remove(fid), () => ({}));

/** The fid is gone afterwards, whether the file is or not. */
export const remove: Handler<'remove'> = async ({ tree, fids, options }, { fid: number }) => {
  const removed = await fids.use(number, async ({ node }) => {
    if (options.readOnly) return refuse(linuxErrno.EROFS);
    const place = tree.place(node);
    if (place === undefined) return refuse(linuxErrno.EBUSY);
    return tree.remove(place.directory, place.name, node.kind === 'directory' ? 'directory' : 'file');
  });
  const clunked = await fids.remove(number);
  return removed.ok ? mapResult(clunked, () => ({})) : removed;
};

/** The list of a file's extended attributes is empty; those of a name cannot be had here. */
export const xattrwalk: Handler<'xattrwalk'> = ({ tree, fids }, { fid: number, newFid, name }) =>
  fids.use(number, async ({ node, qid }) => {
    if (name !== '') return refuse(linuxErrno.EOPNOTSUPP);
    tree.retain(node);
    return mapResult(await fids.add(newFid, node, qid, { kind: 'attribute-list' }), () => ({ sizeBytes: 0n }));
  });

export const xattrcreate: Handler<'xattrcreate'> = ({ fids, options }, { fid }) =>
  fids.use(fid, async () => refuse(options.readOnly ? linuxErrno.EROFS : linuxErrno.EOPNOTSUPP));
