/** Cgroups of version 2 in memory, with the kernel's rules as far as they matter to who makes one. */
import { basename, dirname, join } from 'node:path';
import type { CgroupFiles } from '../cgroup-place.ts';

interface Group {
  children: Set<string>;
  processes: Set<string>;
  settings: Map<string, string>;
  writable: boolean;
}

const mount = '/sys/fs/cgroup';

export class FakeCgroups implements CgroupFiles {
  readonly groups = new Map<string, Group>();
  /** Of the process that asks. */
  readonly #pid: string;
  procText: string | undefined;

  constructor(pid: number) {
    this.#pid = String(pid);
    this.add('/', { children: ['cpu', 'memory'] });
  }

  add(path: string, parts: { children?: string[]; processes?: number[]; writable?: boolean } = {}): void {
    const { children = [], processes = [], writable = false } = parts;
    this.groups.set(join(mount, path).replace(/\/$/, ''), {
      children: new Set(children),
      processes: new Set(processes.map(String)),
      settings: new Map(),
      writable,
    });
  }

  /** Of the path below the mount. */
  group(path: string): Group | undefined {
    return this.groups.get(join(mount, path).replace(/\/$/, ''));
  }

  /** The path below the mount of the cgroup that the process is in. */
  get where(): string {
    const [path = ''] = [...this.groups].find(([, { processes }]) => processes.has(this.#pid)) ?? [];
    return path.slice(mount.length) || '/';
  }

  read(path: string): string {
    if (path === '/proc/self/cgroup') return this.procText ?? `1:name=systemd:/x\n0::${this.where}\n`;
    if (path === '/proc/self/mountinfo') {
      return `22 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 22 0:27 / ${mount} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n`;
    }
    const group = this.#at(dirname(path));
    switch (basename(path)) {
      case 'cgroup.controllers':
        return [...(this.groups.get(dirname(dirname(path)))?.children ?? group.children)].join(' ');
      case 'cgroup.subtree_control':
        return [...group.children].join(' ');
      case 'cgroup.procs':
        return [...group.processes].map((pid) => `${pid}\n`).join('');
      default:
        throw new Error('ENOENT');
    }
  }

  write(path: string, text: string): void {
    const folder = dirname(path);
    const group = this.#at(folder);
    const name = basename(path);
    if (name === 'cgroup.procs') {
      if (group.children.size > 0 && folder !== mount) throw new Error('EBUSY: it has controllers');
      for (const { processes } of this.groups.values()) processes.delete(text);
      group.processes.add(text);
    } else if (name === 'cgroup.subtree_control') {
      if (group.processes.size > 0) throw new Error('EBUSY: it has processes');
      if (text.startsWith('+')) group.children.add(text.slice(1));
      else group.children.delete(text.slice(1));
    } else {
      if (!this.#at(dirname(folder)).children.has('cpu')) throw new Error('EACCES: there is no controller');
      group.settings.set(name, text);
    }
  }

  isWritable(path: string): boolean {
    return (this.groups.get(path) ?? this.groups.get(dirname(path)))?.writable === true;
  }

  names(folder: string): readonly string[] {
    return [...this.groups.keys()].filter((path) => dirname(path) === folder).map((path) => basename(path));
  }

  makeFolder(path: string): void {
    if (!this.isWritable(dirname(path))) throw new Error('EACCES');
    if (this.groups.has(path)) throw new Error('EEXIST');
    this.groups.set(path, { children: new Set(), processes: new Set(), settings: new Map(), writable: true });
  }

  removeFolder(path: string): void {
    if (this.#at(path).processes.size > 0) throw new Error('EBUSY');
    this.groups.delete(path);
  }

  #at(path: string): Group {
    const group = this.groups.get(path);
    if (group === undefined) throw new Error('ENOENT');
    return group;
  }
}
