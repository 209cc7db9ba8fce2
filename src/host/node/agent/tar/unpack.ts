/** Puts the members of an archive from a guest on this host, all of them in one place, whatever their names say. */
import { constants, type Stats } from 'node:fs';
import { chmod, type FileHandle, link, lstat, mkdir, open, symlink, unlink, utimes } from 'node:fs/promises';
import { tarType } from '../../../../spec/tar.ts';
import { fail, ok, type Result } from '../../../../support/result.ts';
import type { TarMember } from './tar-header.ts';
import type { TarSink } from './tar-reader.ts';

/** Set-user-ID and set-group-ID stay in the guest. */
const permissions = 0o777;

interface Folder {
  readonly path: Buffer;
  readonly member: TarMember;
}

/**
 * The first member becomes the target itself, the others lie in it. Errors: kind `archive` for a member that wants to
 * lie elsewhere, `host` for what this host refuses.
 */
export class Unpacker implements TarSink {
  readonly #target: Buffer;
  readonly #skipped: (name: string) => void;
  /** Folders that are known to be folders, not links to some. */
  readonly #folders = new Set<string>();
  /** Folders that the archive had: they get their permissions and times once everything lies in them. */
  readonly #made: Folder[] = [];
  #file: { readonly handle: FileHandle; readonly member: TarMember } | undefined;
  #at = 0;

  /** @param skipped told of devices, pipes and the like, which are left out */
  constructor(target: string, skipped: (name: string) => void) {
    this.#target = Buffer.from(target);
    this.#skipped = skipped;
  }

  async begin(member: TarMember): Promise<Result<void>> {
    this.#file = undefined;
    const place = this.#placeOf(member.name);
    if (place === undefined) return fail('archive', `a member is called ${JSON.stringify(member.name)}`);
    return onHost(async () => {
      const folder = await this.#checkFolders(place);
      if (!folder.ok) return folder;
      switch (member.type) {
        case tarType.directory:
          return this.#makeFolder(place, member);
        case tarType.regular:
        case tarType.oldRegular:
        case tarType.contiguous:
          return this.#openFile(place, member);
        case tarType.symlink:
          await removeFile(this.#pathOf(place));
          await symlink(Buffer.from(member.linkName, 'latin1'), this.#pathOf(place));
          return ok(undefined);
        case tarType.hardLink:
          return this.#makeLink(place, member);
        default:
          this.#skipped(member.name);
          return ok(undefined);
      }
    });
  }

  async content(bytes: Uint8Array): Promise<Result<void>> {
    const handle = this.#file?.handle;
    if (handle === undefined) return ok(undefined);
    return onHost(async () => {
      for (let from = 0; from < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, from, bytes.length - from, this.#at);
        from += bytesWritten;
        this.#at += bytesWritten;
      }
      return ok(undefined);
    });
  }

  async end(): Promise<Result<void>> {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return ok(undefined);
    return onHost(async () => {
      const { handle, member } = file;
      await handle.chmod(member.mode & permissions);
      await handle.utimes(member.modifySeconds, member.modifySeconds);
      await handle.close();
      return ok(undefined);
    });
  }

  /** After the last member, or an error. */
  async finish(): Promise<Result<void>> {
    return onHost(async () => {
      await this.#file?.handle.close();
      for (const { path, member } of this.#made.toReversed()) {
        await chmod(path, member.mode & permissions);
        await utimes(path, member.modifySeconds, member.modifySeconds);
      }
      return ok(undefined);
    });
  }

  /** The parts of a name below the target; undefined for one that would lead out of it. */
  #placeOf(name: string): readonly string[] | undefined {
    if (name.startsWith('/') || name.includes('\0')) return undefined;
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    return parts.includes('..') ? undefined : parts;
  }

  #pathOf(place: readonly string[]): Buffer {
    return Buffer.concat([this.#target, ...place.map((part) => Buffer.from(`/${part}`, 'latin1'))]);
  }

  /** What is above `place` has to be folders: links that were there before, or came with the archive, lead elsewhere. */
  async #checkFolders(place: readonly string[]): Promise<Result<void>> {
    for (let depth = 0; depth < place.length; depth++) {
      const above = place.slice(0, depth);
      const key = above.join('/');
      if (this.#folders.has(key)) continue;
      const stats = await statOrNothing(this.#pathOf(above));
      if (stats === undefined) await mkdir(this.#pathOf(above), 0o700);
      else if (!stats.isDirectory())
        return fail('archive', `${JSON.stringify(place.join('/'))} lies in what is no folder`);
      this.#folders.add(key);
    }
    return ok(undefined);
  }

  async #makeFolder(place: readonly string[], member: TarMember): Promise<Result<void>> {
    const path = this.#pathOf(place);
    const stats = await statOrNothing(path);
    if (stats !== undefined && !stats.isDirectory()) await unlink(path);
    if (stats === undefined || !stats.isDirectory()) await mkdir(path, 0o700);
    this.#folders.add(place.join('/'));
    this.#made.push({ path, member });
    return ok(undefined);
  }

  async #openFile(place: readonly string[], member: TarMember): Promise<Result<void>> {
    const path = this.#pathOf(place);
    await removeFile(path);
    const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    this.#file = { handle, member };
    this.#at = 0;
    return ok(undefined);
  }

  async #makeLink(place: readonly string[], member: TarMember): Promise<Result<void>> {
    const old = this.#placeOf(member.linkName);
    if (old === undefined) return fail('archive', `a member is a link to ${JSON.stringify(member.linkName)}`);
    const folders = await this.#checkFolders(old);
    if (!folders.ok) return folders;
    await removeFile(this.#pathOf(place));
    await link(this.#pathOf(old), this.#pathOf(place));
    return ok(undefined);
  }
}

async function statOrNothing(path: Buffer): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function removeFile(path: Buffer): Promise<void> {
  if ((await statOrNothing(path)) !== undefined) await unlink(path);
}

async function onHost(work: () => Promise<Result<void>>): Promise<Result<void>> {
  try {
    return await work();
  } catch (error) {
    return fail('host', error instanceof Error ? error.message : String(error));
  }
}
