/** Requests about what a file is, not about what is in it. */
import { linuxErrno } from '../spec/linux-errno.ts';
import { ninepFileSystemType, ninepGetAttribute, ninepLongestName, ninepSetAttribute as set } from '../spec/ninep.ts';
import { mapResult } from '../support/result.ts';
import { allowedMode, type Handler } from './context.ts';
import type { Fid } from './fids.ts';
import {
  type AttributeChanges,
  type FileNode,
  type FileTree,
  type NodeKind,
  type Outcome,
  refuse,
} from './file-tree.ts';
import type { RequestOf } from './message.ts';

const nanosecondsPerSecond = 1_000_000_000n;

export const getattr: Handler<'getattr'> = ({ tree, fids, qids, options }, { fid }) =>
  fids.use(fid, async ({ node, opened }) => {
    const file = typeof opened === 'object' && opened.kind === 'file' ? opened.file : undefined;
    return mapResult(await (file === undefined ? tree.attributes(node) : file.attributes()), (attributes) => {
      const access = timeOf(attributes.accessTimeNs);
      const modify = timeOf(attributes.modifyTimeNs);
      const change = timeOf(attributes.changeTimeNs);
      const birth = timeOf(attributes.birthTimeNs);
      return {
        valid: ninepGetAttribute.basic | ninepGetAttribute.birthTime,
        qid: qids.qidOf(attributes),
        mode: attributes.mode,
        uid: options.rootOwned ? 0 : attributes.uid,
        gid: options.rootOwned ? 0 : attributes.gid,
        links: attributes.links,
        device: attributes.deviceNumber,
        sizeBytes: attributes.sizeBytes,
        blockBytes: attributes.blockBytes,
        blocks: attributes.blocks,
        accessSeconds: access.seconds,
        accessNanoseconds: access.nanoseconds,
        modifySeconds: modify.seconds,
        modifyNanoseconds: modify.nanoseconds,
        changeSeconds: change.seconds,
        changeNanoseconds: change.nanoseconds,
        birthSeconds: birth.seconds,
        birthNanoseconds: birth.nanoseconds,
        generation: 0n,
        dataVersion: 0n,
      };
    });
  });

/** Seconds before 1970 are negative, their nanoseconds are not. */
function timeOf(ns: bigint): { seconds: bigint; nanoseconds: bigint } {
  const nanoseconds = ((ns % nanosecondsPerSecond) + nanosecondsPerSecond) % nanosecondsPerSecond;
  return { seconds: BigInt.asUintN(64, (ns - nanoseconds) / nanosecondsPerSecond), nanoseconds };
}

export const setattr: Handler<'setattr'> = ({ tree, fids, options }, request) =>
  fids.use(request.fid, async ({ node, opened }) => {
    if (options.readOnly) return refuse(linuxErrno.EROFS);
    const { sizeBytes, ...others } = changesOf(request, node.kind, options.rootOwned);
    if (sizeBytes !== undefined) {
      const sized = await resize(tree, node, opened, sizeBytes);
      if (!sized.ok) return sized;
    }
    return mapResult(await tree.change(node, others), () => ({}));
  });
/** Through the open file if there is one: whoever could open it for writing may, whatever its permissions are by now. */
async function resize(
  tree: FileTree,
  node: FileNode,
  opened: Fid['opened'],
  sizeBytes: bigint,
): Promise<Outcome<void>> {
  if (node.kind === 'directory') return refuse(linuxErrno.EISDIR);
  if (node.kind !== 'file') return refuse(linuxErrno.EINVAL);
  if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) return refuse(linuxErrno.EFBIG);
  if (typeof opened === 'object' && opened.kind === 'file') return opened.file.truncate(Number(sizeBytes));
  return tree.change(node, { sizeBytes });
}

function changesOf(request: RequestOf<'setattr'>, kind: NodeKind, rootOwned: boolean): AttributeChanges {
  const { valid } = request;
  return {
    ...(valid & set.mode ? { mode: allowedMode(request.mode, kind) } : {}),
    ...(valid & set.uid && !rootOwned ? { uid: request.uid } : {}),
    ...(valid & set.gid && !rootOwned ? { gid: request.gid } : {}),
    ...(valid & set.size ? { sizeBytes: request.sizeBytes } : {}),
    ...(valid & set.accessTime
      ? {
          accessTimeNs:
            valid & set.accessTimeSet ? nsOf(request.accessSeconds, request.accessNanoseconds) : ('now' as const),
        }
      : {}),
    ...(valid & set.modifyTime
      ? {
          modifyTimeNs:
            valid & set.modifyTimeSet ? nsOf(request.modifySeconds, request.modifyNanoseconds) : ('now' as const),
        }
      : {}),
  };
}

function nsOf(seconds: bigint, nanoseconds: bigint): bigint {
  return BigInt.asIntN(64, seconds) * nanosecondsPerSecond + (nanoseconds % nanosecondsPerSecond);
}

export const readlink: Handler<'readlink'> = ({ tree, fids }, { fid }) =>
  fids.use(fid, async ({ node }) => {
    if (node.kind !== 'symlink') return refuse(linuxErrno.EINVAL);
    return mapResult(await tree.readLink(node), (target) => ({ target }));
  });

export const statfs: Handler<'statfs'> = ({ tree, fids }, { fid }) =>
  fids.use(fid, async ({ node }) =>
    mapResult(await tree.capacity(node), (capacity) => ({
      type: ninepFileSystemType,
      ...capacity,
      fileSystemId: 0n,
      longestName: ninepLongestName,
    })),
  );
