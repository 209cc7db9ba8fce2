/** Attributes as the protocol has them: qids, and the numbers of getattr. */
import { ninepQidType } from '../spec/ninep.ts';
import type { Attributes, NodeKind } from './file-tree.ts';
import type { Qid } from './message.ts';

/** Bits of `path` that the inode number has to itself; those above say which file system. */
const inodeBits = 48n;

/** One number for a file out of two, the file system's and the file's. Folders may have other file systems in them. */
export class QidSpace {
  /** File systems in the order they were met; the first, usually the only one, leaves inode numbers as they are. */
  readonly #devices = new Map<bigint, bigint>();

  qidOf(attributes: Attributes): Qid {
    return {
      type: typeOf(attributes.kind),
      version: versionOf(attributes.modifyTimeNs),
      path: BigInt.asUintN(64, attributes.inode ^ (this.#deviceIndex(attributes.device) << inodeBits)),
    };
  }

  #deviceIndex(device: bigint): bigint {
    const known = this.#devices.get(device);
    if (known !== undefined) return known;
    const index = BigInt(this.#devices.size);
    this.#devices.set(device, index);
    return index;
  }
}

function typeOf(kind: NodeKind): number {
  if (kind === 'directory') return ninepQidType.directory;
  return kind === 'symlink' ? ninepQidType.symlink : ninepQidType.file;
}

/** Another one for every modification time that a file system can tell apart. */
function versionOf(modifyTimeNs: bigint): number {
  return Number(BigInt.asUintN(32, modifyTimeNs ^ (modifyTimeNs >> 32n)));
}
