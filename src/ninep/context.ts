/** What the requests of a session share. */
import { linuxErrno } from '../spec/linux-errno.ts';
import { linuxMode, ninepLongestName } from '../spec/ninep.ts';
import type { FidTable } from './fids.ts';
import { type FileNode, type FileTree, type NodeKind, type Outcome, refuse } from './file-tree.ts';
import type { Operation, ReplyOf, RequestOf } from './message.ts';
import type { QidSpace } from './qid.ts';

export interface ShareOptions {
  readonly readOnly: boolean;
  /** Shows user and group 0 as the owner of everything, and takes no other. */
  readonly rootOwned: boolean;
}

export interface Context {
  readonly tree: FileTree;
  readonly fids: FidTable;
  readonly qids: QidSpace;
  readonly options: ShareOptions;
  /** The largest message, as negotiated. */
  readonly msize: number;
}

/** `room`: how many bytes the reply may have. */
export type Handler<O extends Operation> = (
  context: Context,
  request: RequestOf<O>,
  room: number,
) => Promise<Outcome<ReplyOf<O>>>;

/** Why `name` cannot be that of an entry; undefined if it can. */
export function wrongName(name: string): number | undefined {
  if (name.length > ninepLongestName) return linuxErrno.ENAMETOOLONG;
  if (name === '' || name.includes('/') || name.includes('\0')) return linuxErrno.EINVAL;
  return name === '.' || name === '..' ? linuxErrno.EINVAL : undefined;
}

/** Runs `work` with the directory of `fid`, if something in it may be changed under each of `names`. */
export function changeDirectory<T>(
  { fids, options }: Context,
  fid: number,
  names: readonly string[],
  work: (directory: FileNode) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  return fids.use(fid, async ({ node }) => {
    if (options.readOnly) return refuse(linuxErrno.EROFS);
    if (node.kind !== 'directory') return refuse(linuxErrno.ENOTDIR);
    for (const name of names) {
      const wrong = wrongName(name);
      if (wrong !== undefined) return refuse(wrong);
    }
    return work(node);
  });
}

/**
 * The permission bits that a guest may give. A file of the host's user must not become set-user-ID or set-group-ID
 * because a guest says so: whoever runs it on the host would be that user.
 */
export function allowedMode(mode: number, kind: NodeKind): number {
  const bits = linuxMode.permissions | linuxMode.sticky;
  return mode & (kind === 'directory' ? bits | linuxMode.setGroupId : bits);
}
