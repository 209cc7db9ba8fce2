/**
 * The files of a shared folder that a guest knows, and how each is named to the operating system.
 *
 * On Linux a file is held by a descriptor (O_PATH), and what is done with it goes through `/proc/self/fd/N`, with at
 * most one name behind it. So a symbolic link is never followed, whatever the host or the guest moves about meanwhile.
 * Other systems have no such names. There a path is checked to be free of symbolic links before each use; a folder that
 * somebody replaces by a link at that very moment can lead out of the shared one.
 */
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileNode, type NodeKind, type Outcome, type Place, refuse } from '../../../ninep/file-tree.ts';
import { linuxErrno } from '../../../spec/linux-errno.ts';
import { linuxOpenPath } from '../../../spec/ninep.ts';
import { mapResult, ok } from '../../../support/result.ts';
import { systemCalls } from './system-calls.ts';

export interface HostNode extends FileNode {
  readonly device: bigint;
  readonly inode: bigint;
  /** The root has none. */
  parent: HostNode | undefined;
  name: string;
  /** Whether it still is what its parent has under its name. */
  attached: boolean;
  fd: number | undefined;
  /** Fids and children; without any it is forgotten. */
  holds: number;
  /** Calls that use its descriptor now. */
  users: number;
  readonly children: Map<string, HostNode>;
}

export interface FoundNode {
  readonly node: HostNode;
  readonly stats: BigIntStats;
}

export class NodeTable {
  /** Whether nodes are held by descriptors. */
  readonly pinned: boolean;
  readonly root: HostNode;
  readonly #rootPath: string;
  readonly #mostDescriptors: number;
  /** Nodes whose descriptor could be closed and opened again, the one not used for longest first. */
  readonly #idle = new Set<HostNode>();

  /** @param rootPath a byte string, free of symbolic links */
  constructor(rootPath: string, rootStats: BigIntStats, rootFd: number | undefined, mostDescriptors: number) {
    this.#rootPath = rootPath;
    this.#mostDescriptors = mostDescriptors;
    this.pinned = rootFd !== undefined;
    this.root = newNode(undefined, '', rootStats, rootFd);
    this.root.holds++;
  }

  /** What `directory` has under `name` now; the caller holds it. */
  find(directory: HostNode, name: string): Promise<Outcome<FoundNode>> {
    return this.use(directory, async (path) => {
      const entry = await this.#open(`${path}/${name}`);
      return mapResult(entry, ({ stats, fd }) => {
        const known = directory.children.get(name);
        if (known !== undefined && sameFile(known, stats)) {
          this.#adopt(known, fd);
          known.holds++;
          return { node: known, stats };
        }
        if (known !== undefined) this.detach(known);
        directory.holds++;
        const node = newNode(directory, name, stats, undefined);
        directory.children.set(name, node);
        this.#adopt(node, fd);
        return { node, stats };
      });
    });
  }

  /**
   * Runs `work` with a path that leads to the node: through its descriptor, so that a last step follows it, or by names,
   * so that it must not. ESTALE if the node is no longer where it was.
   */
  async use<T>(node: HostNode, work: (path: string) => Promise<Outcome<T>>): Promise<Outcome<T>> {
    node.users++;
    const path = this.pinned ? await this.#descriptorPath(node) : await this.#checkedPath(node);
    const outcome = path.ok ? await work(path.value) : path;
    node.users--;
    this.#settle(node);
    return outcome;
  }

  stats(node: HostNode): Promise<Outcome<BigIntStats>> {
    return this.use(node, (path) =>
      node.fd === undefined ? systemCalls.statEntry(path) : systemCalls.statOpen(node.fd),
    );
  }

  retain(node: HostNode): void {
    node.holds++;
  }

  release(node: HostNode): void {
    node.holds--;
    this.#settle(node);
  }

  place(node: HostNode): (Place & { readonly directory: HostNode }) | undefined {
    return node.parent !== undefined && node.attached ? { directory: node.parent, name: node.name } : undefined;
  }

  /** What is about to be unlinked keeps its descriptor, because it cannot be found by its name again. */
  async keep(node: HostNode | undefined): Promise<void> {
    if (node !== undefined) await this.use(node, async () => ok(undefined));
  }

  /** The node is no longer what its parent has under its name. */
  detach(node: HostNode): void {
    if (node.parent?.children.get(node.name) === node) node.parent.children.delete(node.name);
    node.attached = false;
    this.#idle.delete(node);
  }

  /** After a rename on the host. */
  move(node: HostNode, directory: HostNode, name: string): void {
    const from = node.parent;
    if (from === undefined) return;
    this.detach(node);
    // Somebody on the host had moved things: what is now inside of the other way round must not go in circles here.
    for (let up: HostNode | undefined = directory; up !== undefined; up = up.parent) if (up === node) return;
    const replaced = directory.children.get(name);
    if (replaced !== undefined) this.detach(replaced);
    directory.holds++;
    node.parent = directory;
    node.name = name;
    node.attached = true;
    directory.children.set(name, node);
    this.#settle(node);
    this.release(from);
  }

  /** Runs `open`, a call that needs a descriptor; gives up those that can be had again if there are none left. */
  async withDescriptors<T>(open: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    const opened = await open();
    if (opened.ok || (opened.error !== linuxErrno.EMFILE && opened.error !== linuxErrno.ENFILE)) return opened;
    this.#closeIdle(0);
    return open();
  }

  async #open(path: string): Promise<Outcome<{ stats: BigIntStats; fd: number | undefined }>> {
    if (!this.pinned) return mapResult(await systemCalls.statEntry(path), (stats) => ({ stats, fd: undefined }));
    const flags = linuxOpenPath | constants.O_NOFOLLOW;
    const fd = await this.withDescriptors(() => systemCalls.open(path, flags));
    if (!fd.ok) return fd;
    const stats = await systemCalls.statOpen(fd.value);
    if (!stats.ok) void systemCalls.close(fd.value);
    return mapResult(stats, (value) => ({ stats: value, fd: fd.value }));
  }

  /** Opens the node again if need be, and before it those directories above it that were given up as well. */
  async #descriptorPath(node: HostNode): Promise<Outcome<string>> {
    const closed: HostNode[] = [];
    for (let at: HostNode | undefined = node; at !== undefined && at.fd === undefined; at = at.parent) closed.push(at);
    // They stay open until the one below them is.
    for (const at of closed) at.users++;
    let outcome: Outcome<void> = ok(undefined);
    for (const at of closed.toReversed()) {
      if (outcome.ok) outcome = await this.#reopen(at);
    }
    for (const at of closed) {
      at.users--;
      if (at !== node) this.#settle(at);
    }
    return mapResult(outcome, () => `/proc/self/fd/${node.fd}`);
  }

  async #reopen(node: HostNode): Promise<Outcome<void>> {
    if (node.fd !== undefined) return ok(undefined);
    if (!node.attached || node.parent?.fd === undefined) return refuse(linuxErrno.ESTALE);
    const entry = await this.#open(`/proc/self/fd/${node.parent.fd}/${node.name}`);
    if (!entry.ok) return entry;
    if (sameFile(node, entry.value.stats)) {
      this.#adopt(node, entry.value.fd);
      return ok(undefined);
    }
    if (entry.value.fd !== undefined) void systemCalls.close(entry.value.fd);
    return refuse(linuxErrno.ESTALE);
  }

  async #checkedPath(node: HostNode): Promise<Outcome<string>> {
    const names: string[] = [];
    for (let at = node; at.parent !== undefined; at = at.parent) {
      if (!at.attached) return refuse(linuxErrno.ESTALE);
      names.push(at.name);
    }
    const path = [this.#rootPath, ...names.toReversed()].join('/');
    const directory = path.slice(0, path.lastIndexOf('/')) || '/';
    const real = await systemCalls.realPath(directory);
    if (!real.ok) return real;
    const stats = await systemCalls.statEntry(path);
    if (!stats.ok) return stats;
    return real.value === directory && sameFile(node, stats.value) ? ok(path) : refuse(linuxErrno.ESTALE);
  }

  #adopt(node: HostNode, fd: number | undefined): void {
    if (node.fd === undefined) node.fd = fd;
    else if (fd !== undefined) void systemCalls.close(fd);
    this.#settle(node);
  }

  /** After each use: forgets a node that nobody holds, and gives up descriptors if there are many. */
  #settle(node: HostNode): void {
    let at: HostNode | undefined = node;
    while (at !== undefined && at.holds === 0 && at.users === 0) {
      const above: HostNode | undefined = at.parent;
      this.detach(at);
      if (at.fd !== undefined) void systemCalls.close(at.fd);
      at.fd = undefined;
      at.parent = undefined;
      if (above !== undefined) above.holds--;
      at = above;
    }
    if (node.holds === 0 || node.fd === undefined || !node.attached || node.parent === undefined) return;
    this.#idle.delete(node);
    this.#idle.add(node);
    this.#closeIdle(this.#mostDescriptors);
  }

  #closeIdle(most: number): void {
    if (this.#idle.size <= most) return;
    for (const node of this.#idle) {
      if (node.users > 0 || node.fd === undefined) continue;
      this.#idle.delete(node);
      void systemCalls.close(node.fd);
      node.fd = undefined;
      if (this.#idle.size <= most) return;
    }
  }
}

function newNode(parent: HostNode | undefined, name: string, stats: BigIntStats, fd: number | undefined): HostNode {
  const { dev: device, ino: inode } = stats;
  const kind = kindOf(stats);
  return { kind, device, inode, parent, name, attached: true, fd, holds: 1, users: 0, children: new Map() };
}

export function kindOf(stats: BigIntStats): NodeKind {
  if (stats.isDirectory()) return 'directory';
  if (stats.isFile()) return 'file';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}

export function sameFile(node: HostNode, stats: BigIntStats): boolean {
  return node.inode === stats.ino && node.device === stats.dev && node.kind === kindOf(stats);
}
