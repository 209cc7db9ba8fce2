/** A folder of this host as a `FileTree`. What a guest makes in it belongs to the user of this process. */
import { accessSync, constants, readFileSync } from 'node:fs';
import {
  type AttributeChanges,
  type Attributes,
  type Capacity,
  type FileNode,
  type FileTree,
  type Found,
  type OpenDirectory,
  type OpenFile,
  type OpenMode,
  type Outcome,
  type Place,
  refuse,
} from '../../../ninep/file-tree.ts';
import { linuxErrno } from '../../../spec/linux-errno.ts';
import { linuxOpenPath } from '../../../spec/ninep.ts';
import { andThen, fail, mapResult, ok, type Result } from '../../../support/result.ts';
import { type FoundNode, type HostNode, NodeTable, sameFile } from './node-table.ts';
import { attributesOf, HostDirectory, NameBudget, openFile, openFlags } from './open-files.ts';
import { systemCalls } from './system-calls.ts';

/** `descriptors` where the system can do it; `paths` elsewhere, with the race that `node-table.ts` tells of. */
export type Confinement = 'descriptors' | 'paths';

const descriptorFolder = '/proc/self/fd';
/** A file is created with these, and gets its own permissions when nobody else can have it open. */
const permissionsAtFirst = 0o600;

/** @param path of a folder, as a user gave it; it may lead through symbolic links */
export async function openSharedFolder(path: string, confinement = usualConfinement()): Promise<Result<SharedFolder>> {
  const real = await systemCalls.realPath(Buffer.from(path).toString('latin1'));
  if (!real.ok) return fail('input', `the shared folder ${path} is not there or cannot be reached.`);
  const stats = await systemCalls.statEntry(real.value);
  if (!stats.ok || !stats.value.isDirectory()) return fail('input', `the shared folder ${path} is not a folder.`);
  let fd: number | undefined;
  if (confinement === 'descriptors') {
    const opened = await systemCalls.open(real.value, linuxOpenPath | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    if (!opened.ok) return fail('input', `the shared folder ${path} cannot be opened.`);
    fd = opened.value;
  }
  return ok(new SharedFolder(new NodeTable(real.value, stats.value, fd, descriptorsOfOneFolder())));
}

function usualConfinement(): Confinement {
  if (process.platform !== 'linux') return 'paths';
  try {
    accessSync(descriptorFolder);
    return 'descriptors';
  } catch {
    return 'paths';
  }
}

/** An eighth of what this process may have open: disks and connections need some too. */
function descriptorsOfOneFolder(): number {
  try {
    const limit = /^Max open files +([0-9]+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return Math.min(4096, Math.max(32, Math.floor(Number(limit ?? 1024) / 8)));
  } catch {
    return 128;
  }
}

export class SharedFolder implements FileTree {
  readonly #nodes: NodeTable;
  readonly #names = new NameBudget();

  constructor(nodes: NodeTable) {
    this.#nodes = nodes;
  }

  async root(): Promise<Outcome<Found>> {
    const node = this.#nodes.root;
    this.retain(node);
    const attributes = await this.attributes(node);
    if (!attributes.ok) this.release(node);
    return mapResult(attributes, (value) => ({ node, attributes: value }));
  }

  async lookup(directory: FileNode, name: string): Promise<Outcome<Found>> {
    return mapResult(await this.#nodes.find(directory as HostNode, name), foundOf);
  }

  parent(node: FileNode): FileNode {
    const parent = (node as HostNode).parent ?? this.#nodes.root;
    this.retain(parent);
    return parent;
  }

  place(node: FileNode): Place | undefined {
    return this.#nodes.place(node as HostNode);
  }

  retain(node: FileNode): void {
    this.#nodes.retain(node as HostNode);
  }

  release(node: FileNode): void {
    this.#nodes.release(node as HostNode);
  }

  async attributes(node: FileNode): Promise<Outcome<Attributes>> {
    return mapResult(await this.#nodes.stats(node as HostNode), attributesOf);
  }

  async capacity(node: FileNode): Promise<Outcome<Capacity>> {
    const stats = await this.#nodes.use(node as HostNode, systemCalls.statFileSystem);
    return mapResult(stats, (value) => ({
      blockBytes: Number(value.bsize),
      blocks: value.blocks,
      freeBlocks: value.bfree,
      availableBlocks: value.bavail,
      files: value.files,
      freeFiles: value.ffree,
    }));
  }

  /** Changes of owner that the host does not allow are ignored, as a guest's root expects them to work. */
  async change(node: FileNode, changes: AttributeChanges): Promise<Outcome<void>> {
    const { mode, uid, gid, sizeBytes } = changes;
    const host = node as HostNode;
    let outcome: Outcome<void> = ok(undefined);
    if (sizeBytes !== undefined) {
      outcome = await this.#withOpen(host, constants.O_WRONLY, (fd) => systemCalls.resizeOpen(fd, Number(sizeBytes)));
    }
    if (outcome.ok && mode !== undefined) outcome = await this.#changeMode(host, mode);
    if (outcome.ok && (uid !== undefined || gid !== undefined)) {
      const call = this.#nodes.pinned ? systemCalls.changeOwner : systemCalls.changeEntryOwner;
      outcome = await this.#nodes.use(host, (path) => call(path, uid ?? -1, gid ?? -1));
      if (!outcome.ok && outcome.error === linuxErrno.EPERM) outcome = ok(undefined);
    }
    return outcome.ok ? this.#changeTimes(host, changes) : outcome;
  }

  async #changeMode(node: HostNode, mode: number): Promise<Outcome<void>> {
    if (node.kind === 'symlink') return refuse(linuxErrno.EOPNOTSUPP);
    if (this.#nodes.pinned) return this.#nodes.use(node, (path) => systemCalls.changeMode(path, mode));
    return this.#withOpen(node, constants.O_RDONLY, (fd) => systemCalls.changeModeOpen(fd, mode));
  }

  async #changeTimes(node: HostNode, { accessTimeNs, modifyTimeNs }: AttributeChanges): Promise<Outcome<void>> {
    if (accessTimeNs === undefined && modifyTimeNs === undefined) return ok(undefined);
    const old = await this.#nodes.stats(node);
    if (!old.ok) return old;
    const now = BigInt(Date.now()) * 1_000_000n;
    const time = (wanted: bigint | 'now' | undefined, before: bigint): bigint =>
      wanted === 'now' ? now : (wanted ?? before);
    const call = this.#nodes.pinned ? systemCalls.changeTimes : systemCalls.changeEntryTimes;
    return this.#nodes.use(node, (path) =>
      call(path, time(accessTimeNs, old.value.atimeNs), time(modifyTimeNs, old.value.mtimeNs)),
    );
  }

  /** A symbolic link cannot be read through a descriptor: its target is that of what has its name now. */
  readLink(node: FileNode): Promise<Outcome<string>> {
    const place = this.#nodes.place(node as HostNode);
    if (place === undefined) return Promise.resolve(refuse(linuxErrno.ESTALE));
    return this.#nodes.use(place.directory, (path) => systemCalls.readLink(`${path}/${place.name}`));
  }

  async open(node: FileNode, mode: OpenMode): Promise<Outcome<OpenFile>> {
    return mapResult(await this.#open(node as HostNode, openFlags(mode)), openFile);
  }

  async openDirectory(node: FileNode): Promise<Outcome<OpenDirectory>> {
    const host = node as HostNode;
    const fd = await this.#open(host, constants.O_RDONLY | constants.O_DIRECTORY);
    if (!fd.ok) return fd;
    const path = this.#nodes.pinned
      ? ok(`${descriptorFolder}/${fd.value}`)
      : await this.#nodes.use(host, async (checked) => ok(checked));
    return mapResult(path, (value) => new HostDirectory(fd.value, value, this.#names));
  }

  /** Only what was just made gets `permissions`, and only files are opened: a name that is taken is looked up first. */
  async create(
    directory: FileNode,
    name: string,
    mode: OpenMode & { readonly exclusive: boolean },
    permissions: number,
  ): Promise<Outcome<Found & { readonly file: OpenFile }>> {
    const flags = openFlags(mode) | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const made = await this.#nodes.use(directory as HostNode, (path) =>
      this.#nodes.withDescriptors(() => systemCalls.open(`${path}/${name}`, flags, permissionsAtFirst)),
    );
    if (!made.ok) {
      if (made.error !== linuxErrno.EEXIST || mode.exclusive) return made;
      return this.#openExisting(directory, name, mode);
    }
    const changed = await systemCalls.changeModeOpen(made.value, permissions);
    const found = changed.ok ? await this.#nodes.find(directory as HostNode, name) : changed;
    const opened = found.ok ? await this.#confirm(found.value.node, made.value) : found;
    if (!opened.ok) void systemCalls.close(made.value);
    if (found.ok && !opened.ok) this.release(found.value.node);
    if (!found.ok || !opened.ok) return refuse(linuxErrno.ESTALE);
    return ok({ ...foundOf(found.value), file: openFile(made.value) });
  }

  async #openExisting(
    directory: FileNode,
    name: string,
    mode: OpenMode,
  ): Promise<Outcome<Found & { readonly file: OpenFile }>> {
    const found = await this.lookup(directory, name);
    if (!found.ok) return found;
    const { kind } = found.value.node;
    const file = kind === 'file' ? await this.open(found.value.node, mode) : refuse(notAFile[kind]);
    if (!file.ok) this.release(found.value.node);
    return mapResult(file, (value) => ({ ...found.value, file: value }));
  }

  makeDirectory(directory: FileNode, name: string, permissions: number): Promise<Outcome<Attributes>> {
    return this.#make(directory as HostNode, name, async (path) => {
      const made = await systemCalls.makeDirectory(path, 0o700);
      if (!made.ok) return made;
      const found = await this.#nodes.find(directory as HostNode, name);
      if (!found.ok) return found;
      const changed = await this.#changeMode(found.value.node, permissions);
      this.release(found.value.node);
      return changed;
    });
  }

  makeSymlink(directory: FileNode, name: string, target: string): Promise<Outcome<Attributes>> {
    return this.#make(directory as HostNode, name, (path) => systemCalls.makeSymlink(target, path));
  }

  #make(
    directory: HostNode,
    name: string,
    make: (path: string) => Promise<Outcome<void>>,
  ): Promise<Outcome<Attributes>> {
    return this.#nodes.use(directory, async (path) => {
      const made = await make(`${path}/${name}`);
      return made.ok ? mapResult(await systemCalls.statEntry(`${path}/${name}`), attributesOf) : made;
    });
  }

  async link(node: FileNode, directory: FileNode, name: string): Promise<Outcome<void>> {
    const place = this.#nodes.place(node as HostNode);
    if (place === undefined) return refuse(linuxErrno.ENOENT);
    // link(2) may follow a symbolic link on systems other than Linux.
    if (!this.#nodes.pinned && node.kind === 'symlink') return refuse(linuxErrno.EPERM);
    return this.#nodes.use(place.directory, (from) =>
      this.#nodes.use(directory as HostNode, async (to) => {
        const now = await systemCalls.statEntry(`${from}/${place.name}`);
        if (!now.ok) return now;
        if (!sameFile(node as HostNode, now.value)) return refuse(linuxErrno.ESTALE);
        return systemCalls.link(`${from}/${place.name}`, `${to}/${name}`);
      }),
    );
  }

  async rename(from: Place, to: Place): Promise<Outcome<void>> {
    const oldDirectory = from.directory as HostNode;
    const newDirectory = to.directory as HostNode;
    await this.#nodes.keep(newDirectory.children.get(to.name));
    const renamed = await this.#nodes.use(oldDirectory, (oldPath) =>
      this.#nodes.use(newDirectory, (newPath) =>
        systemCalls.rename(`${oldPath}/${from.name}`, `${newPath}/${to.name}`),
      ),
    );
    if (!renamed.ok) return renamed;
    const moved = oldDirectory.children.get(from.name);
    const replaced = newDirectory.children.get(to.name);
    if (replaced !== undefined && replaced !== moved) this.#nodes.detach(replaced);
    if (moved !== undefined && replaced !== moved) this.#nodes.move(moved, newDirectory, to.name);
    return renamed;
  }

  async remove(directory: FileNode, name: string, kind: 'file' | 'directory'): Promise<Outcome<void>> {
    const host = directory as HostNode;
    await this.#nodes.keep(host.children.get(name));
    const call = kind === 'directory' ? systemCalls.removeDirectory : systemCalls.unlink;
    const removed = await this.#nodes.use(host, (path) => call(`${path}/${name}`));
    const node = host.children.get(name);
    if (removed.ok && node !== undefined) this.#nodes.detach(node);
    return removed;
  }

  /** Opens what the node stands for. It is known to be a file or a directory, and through a descriptor it stays that. */
  #open(node: HostNode, flags: number): Promise<Outcome<number>> {
    return this.#nodes.use(node, async (path) => {
      if (this.#nodes.pinned) return this.#nodes.withDescriptors(() => systemCalls.open(path, flags));
      const fd = await systemCalls.open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      if (!fd.ok) return fd;
      const same = await this.#confirm(node, fd.value);
      if (!same.ok) void systemCalls.close(fd.value);
      return mapResult(same, () => fd.value);
    });
  }

  async #confirm(node: HostNode, fd: number): Promise<Outcome<void>> {
    const stats = await systemCalls.statOpen(fd);
    return andThen(stats, (value) => (sameFile(node, value) ? ok(undefined) : refuse(linuxErrno.ESTALE)));
  }

  async #withOpen(node: HostNode, flags: number, work: (fd: number) => Promise<Outcome<void>>): Promise<Outcome<void>> {
    const fd = await this.#open(node, flags);
    if (!fd.ok) return fd;
    const outcome = await work(fd.value);
    void systemCalls.close(fd.value);
    return outcome;
  }
}

const notAFile = { directory: linuxErrno.EISDIR, symlink: linuxErrno.ELOOP, other: linuxErrno.ENXIO } as const;

function foundOf({ node, stats }: FoundNode): Found {
  return { node, attributes: attributesOf(stats) };
}
