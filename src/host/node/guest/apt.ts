/** Packages from the host's own package configuration, without root and without touching its state. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import { sha256 } from './cache.ts';
import { runCommand } from './command.ts';

export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** Pre-Depends and Depends, in the syntax of their fields. */
  readonly depends: string;
}

/** Reads the first paragraph of what `apt-cache show` prints. Source: deb-control(5). */
export function parsePackageRecord(paragraphs: string): PackageRecord | undefined {
  const fields = new Map<string, string>();
  for (const line of paragraphs.split('\n\n', 1)[0]?.split('\n') ?? []) {
    const match = /^([A-Za-z0-9-]+): *(.*)$/.exec(line);
    if (match !== null) fields.set((match[1] as string).toLowerCase(), match[2] as string);
  }
  const name = fields.get('package');
  const version = fields.get('version');
  const checksum = fields.get('sha256');
  if (name === undefined || version === undefined || !/^[0-9a-f]{64}$/.test(checksum ?? '')) return undefined;
  const depends = [fields.get('pre-depends'), fields.get('depends')].filter((field) => field !== undefined).join(', ');
  return { name, version, sha256: checksum as string, depends };
}

/** The package lists of this host, or our own fresh copy of them. */
export class PackageLists {
  readonly #folder: string;
  readonly #options: readonly string[];

  private constructor(folder: string, options: readonly string[]) {
    this.#folder = folder;
    this.#options = options;
  }

  /** The lists as the host has them; they may be missing or old. */
  static ofHost(folder: string): PackageLists {
    return new PackageLists(folder, []);
  }

  /** Lists fetched now, from the host's sources that answer, into `folder`; the host's own stay as they are. */
  static async fetch(folder: string, architecture: 'amd64' | 'i386' = 'amd64'): Promise<Result<PackageLists>> {
    const lists = join(folder, 'lists');
    const cache = join(folder, 'cache');
    await mkdir(join(lists, 'partial'), { recursive: true });
    await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
    const options = [
      `Dir::State::lists=${lists}`,
      `Dir::Cache=${cache}`,
      'Acquire::Languages=none',
      `APT::Architecture=${architecture}`,
      `APT::Architectures=${architecture}`,
    ].flatMap((option) => ['-o', option]);
    const result = new PackageLists(folder, options);
    const update = await result.#apt('apt-get', ['-q', 'update']);
    if (update.ok) return ok(result);
    // Of several sources one may be out of order, or in the middle of an update: what the others have will do.
    const usable = (await readdir(lists)).some((name) => /_Packages(\.|$)/.test(name));
    return usable ? ok(result) : fail('unavailable', firstLine(update.message));
  }

  /** What is known of the version of `name` that would be installed. */
  async find(name: string): Promise<PackageRecord | undefined> {
    const shown = await this.#apt('apt-cache', ['--no-all-versions', 'show', name]);
    return shown.ok ? parsePackageRecord(Buffer.from(shown.stdout).toString('utf8')) : undefined;
  }

  /** Downloads one package and compares it with its record. @returns the path of the package file */
  async download(record: PackageRecord): Promise<Result<string>> {
    const folder = join(this.#folder, record.name);
    await mkdir(folder, { recursive: true });
    const got = await this.#apt('apt-get', ['-q', 'download', `${record.name}=${record.version}`], folder);
    if (!got.ok) return fail('unavailable', `${record.name} could not be downloaded: ${firstLine(got.message)}`);
    const file = (await readdir(folder)).find((name) => name.endsWith('.deb'));
    if (file === undefined) return fail('unavailable', `apt-get downloaded nothing for ${record.name}`);
    const path = join(folder, file);
    if (sha256(await readFile(path)) !== record.sha256) {
      return fail('unavailable', `the downloaded ${record.name} does not have the checksum that its list records`);
    }
    return ok(path);
  }

  #apt(program: string, args: readonly string[], cwd = this.#folder) {
    // The user that apt downloads as has no access to our folder; nothing here needs another user than our own.
    const options = ['-o', `APT::Sandbox::User=${userInfo().username}`, ...this.#options];
    return runCommand([program, ...options, ...args], cwd);
  }
}

/** One file of a package. @param pattern of its path in the archive, as tar's --wildcards understands it */
export async function extractFile(packageFile: string, pattern: string, cwd: string): Promise<Result<Uint8Array>> {
  const unpacked = await runCommand(['tar', '-x', '-O', '--wildcards', pattern], cwd, [
    'dpkg-deb',
    '--fsys-tarfile',
    packageFile,
  ]);
  if (unpacked.ok && unpacked.stdout.length > 0) return ok(unpacked.stdout);
  return fail('unavailable', `${packageFile} holds no ${pattern}: ${firstLine(unpacked.message)}`);
}

function firstLine(message: string): string {
  const lines = message.split('\n').map((line) => line.trim());
  return lines.find((line) => line.startsWith('E:')) ?? lines.find((line) => line !== '') ?? 'no reason given';
}
