/** Opens, locks and creates the files of this host that images lie in. */
import { constants, readFileSync } from 'node:fs';
import { stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { BlockFile, BlockFiles } from '../../../block/block-file.ts';
import { sectorBytes } from '../../../block/disk.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { seekWhence } from '../../../spec/file-allocation.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { NodeBlockFile } from './block-file.ts';
import { closeFile, openFile, statusOf } from './file-calls.ts';
import { lockFile } from './file-lock.ts';
import { hostFailure } from './host-failure.ts';
import type { Libc } from './libc.ts';

const { O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

/**
 * The locks are QEMU's (`file-lock.ts`), on Linux. Where this Node cannot call the C library (no `node:ffi`) or the host
 * is no Linux, files are not locked.
 */
export class NodeBlockFiles implements BlockFiles {
  readonly #libc: Libc | undefined;

  /** @param libc of `loadLibc` */
  constructor(libc: Libc | undefined) {
    this.#libc = libc;
  }

  async open(path: string, access: 'read' | 'write', relativeTo?: string): Promise<Result<BlockFile, DiskFailure>> {
    const name = relativeTo === undefined ? path : resolve(dirname(relativeTo), path);
    const usable = await refuseOddFiles(name);
    if (!usable.ok) return usable;
    // O_NONBLOCK: should a pipe have come in place of the file, this does not wait for somebody at its other end.
    const fd = await openFile(name, (access === 'read' ? O_RDONLY : O_RDWR) | O_NONBLOCK);
    return fd.ok ? this.#adopt(name, fd.value, access) : fd;
  }

  /** Makes a file, or empties the one that is there unless somebody else uses it. A block device stays as it is. */
  async create(path: string): Promise<Result<BlockFile, DiskFailure>> {
    const usable = await refuseOddFiles(path);
    if (!usable.ok && usable.error.kind !== 'not-found') return usable;
    const fd = await openFile(path, O_RDWR | O_CREAT | O_NONBLOCK);
    if (!fd.ok) return fd;
    const file = await this.#adopt(path, fd.value, 'write');
    if (!file.ok || file.value.isDevice) return file;
    const emptied = await file.value.truncate(0);
    if (emptied.ok) return file;
    await file.value.close();
    return emptied;
  }

  /** A file without a name: it goes away with this process, whatever ends that. */
  async createTemporary(): Promise<Result<BlockFile, DiskFailure>> {
    // /tmp is often in memory, and an overlay may become large.
    const folder = process.env.TMPDIR ?? (process.platform === 'linux' ? '/var/tmp' : tmpdir());
    const path = join(folder, `corbel-${process.pid}-${crypto.randomUUID()}`);
    const fd = await openFile(path, O_RDWR | O_CREAT | O_EXCL);
    if (!fd.ok) return fd;
    try {
      await unlink(path);
    } catch (error) {
      await closeFile(fd.value, path);
      return hostFailure(path, 'unlinked', error);
    }
    return ok(new NodeBlockFile(this.#opened(`a temporary file in ${folder}`, fd.value, false, undefined)));
  }

  async #adopt(name: string, fd: number, access: 'read' | 'write'): Promise<Result<NodeBlockFile, DiskFailure>> {
    const status = await statusOf(name, fd);
    const device = status.ok && status.value.isBlockDevice() ? status.value.rdev : undefined;
    const locked = status.ok && this.#libc !== undefined ? lockFile(this.#libc, fd, name, access) : status;
    if (!locked.ok) {
      await closeFile(fd, name);
      return locked;
    }
    const deviceBytes = device === undefined ? undefined : this.#deviceBytes(fd, device);
    return ok(new NodeBlockFile(this.#opened(name, fd, access === 'read', deviceBytes)));
  }

  #opened(name: string, fd: number, readOnly: boolean, deviceBytes: number | undefined) {
    return { name, fd, readOnly, deviceBytes, libc: this.#libc };
  }

  #deviceBytes(fd: number, device: number): number {
    if (this.#libc !== undefined) return Number(this.#libc.lseek(fd, 0n, seekWhence.end));
    // The kernel's encoding of device numbers in stat(2): makedev(3).
    const major = (device >>> 8) & 0xfff;
    const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
    try {
      return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * sectorBytes;
    } catch {
      return 0;
    }
  }
}

async function refuseOddFiles(name: string): Promise<Result<void, DiskFailure>> {
  try {
    const status = await stat(name);
    if (status.isFile() || status.isBlockDevice()) return ok(undefined);
    const what = status.isDirectory() ? 'a folder' : 'neither a file nor a block device';
    return fail('unsupported', `${name} cannot be opened: it is ${what}.`);
  } catch (error) {
    return hostFailure(name, 'opened', error);
  }
}
