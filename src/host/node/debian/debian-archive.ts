/** Debian's archive through this host's apt: its lists, what belongs to a set of packages, the packages themselves. */
import { access, copyFile, link, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import { runProgram } from '../program.ts';
import {
  type ArchiveSource,
  formatSources,
  indexTargetFormat,
  mirrorSource,
  parseIndexTargets,
  sourcesOfSuite,
} from './archive-sources.ts';

/** The host's hooks around updates and installations are about the host's own state. */
const configuration = `#clear APT::Update;
#clear DPkg::Pre-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
`;

/** Debian's package debian-archive-keyring brings one of them. */
const keyrings = ['/usr/share/keyrings/debian-archive-keyring.pgp', '/usr/share/keyrings/debian-archive-keyring.gpg'];

export class DebianArchive {
  readonly sources: readonly ArchiveSource[];
  readonly #folder: string;

  private constructor(folder: string, sources: readonly ArchiveSource[]) {
    this.#folder = folder;
    this.sources = sources;
  }

  /**
   * Fetches the current lists of `suite`. One process at a time works with a folder: apt's own locks make others fail.
   * @param folder keeps what was fetched; the host's own lists stay as they are
   */
  static async open(folder: string, suite: string, mirror: string | undefined): Promise<Result<DebianArchive>> {
    for (const name of ['lists/partial', 'packages/partial', 'nothing/partial']) {
      await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
    }
    await writeFile(join(folder, 'apt.conf'), configuration);
    await writeFile(join(folder, 'status'), '');
    const sources = mirror === undefined ? await hostSources(folder, suite) : ok([mirrorSource(mirror, suite)]);
    if (!sources.ok) return sources;
    return openWith(folder, sources.value, (found) => new DebianArchive(folder, found));
  }

  /**
   * The package files that `requests` and what they depend on come to.
   * @param requests names, and patterns as apt-patterns(7) describes them
   */
  async plan(requests: readonly string[]): Promise<Result<string[]>> {
    const nothing = `Dir::Cache::archives=${join(this.#folder, 'nothing')}`;
    const printed = await this.#apt(['-qq', '-o', nothing, '--print-uris', '--yes', 'install', ...requests]);
    if (!printed.ok) return printed;
    // A line is 'URI' NAME SIZE HASH.
    const names = printed.value.map((line) => /^'[^']+' (\S+\.deb) [0-9]+ /.exec(line)?.[1]);
    return ok(names.filter((name) => name !== undefined));
  }

  /** Downloads what `plan` names. @param progress is told the share that is there, from 0 to 1 */
  async download(requests: readonly string[], progress: (share: number) => void): Promise<Result<void>> {
    const report = (line: string): void => {
      const percent = /^dlstatus:[0-9]+:([0-9.]+):/.exec(line)?.[1];
      if (percent !== undefined) progress(Number(percent) / 100);
    };
    const options = ['-q', '-o', 'APT::Status-Fd=3', '--download-only', '--yes', 'install', ...requests];
    const downloaded = await this.#apt(options, report);
    return downloaded.ok ? ok(undefined) : downloaded;
  }

  /** Puts the package files `names` into a new folder, where they stay whatever is fetched or forgotten later. */
  async place(names: readonly string[], folder: string): Promise<void> {
    await mkdir(folder);
    for (const name of names) {
      const [from, to] = [join(this.#packages, name), join(folder, name)];
      // Some file systems have no hard links.
      await link(from, to).catch(() => copyFile(from, to));
    }
  }

  /** Removes the package files that are not among `names`: those of former lists. */
  async forgetOthers(names: readonly string[]): Promise<void> {
    for (const name of await readdir(this.#packages)) {
      if (name.endsWith('.deb') && !names.includes(name)) await rm(join(this.#packages, name));
    }
  }

  /** Where `download` leaves the package files. */
  get #packages(): string {
    return join(this.#folder, 'packages');
  }

  #apt(args: readonly string[], onReport?: (line: string) => void): Promise<Result<string[]>> {
    return apt(this.#folder, 'apt-get', args, onReport);
  }
}

async function openWith<T>(
  folder: string,
  sources: readonly ArchiveSource[],
  open: (sources: readonly ArchiveSource[]) => T,
): Promise<Result<T>> {
  await writeSources(folder, sources);
  const updated = await apt(folder, 'apt-get', ['-q', '-o', 'APT::Update::Error-Mode=any', 'update']);
  if (!updated.ok)
    return fail('unavailable', `Debian's package lists could not be fetched (${updated.error.message}).`);
  // Now that the lists are here, so is the name of who made them.
  const targets = await apt(folder, 'apt-get', ['indextargets', '--format', indexTargetFormat]);
  if (!targets.ok) return targets;
  const debian = parseIndexTargets(targets.value).filter(({ origin }) => origin === 'Debian');
  if (debian.length === 0) {
    const uris = sources.map(({ uri, suite }) => `${uri} ${suite}`).join(', ');
    return fail('unavailable', `the package lists of ${uris} are not Debian's.`);
  }
  await writeSources(folder, debian);
  return ok(open(debian));
}

async function hostSources(folder: string, suite: string): Promise<Result<ArchiveSource[]>> {
  const targets = await runProgram(['apt-get', 'indextargets', '--format', indexTargetFormat], { cwd: folder });
  if (!targets.ok) {
    return fail(
      'unavailable',
      `an image of Debian is made with apt-get, which cannot be run here (${targets.error.message}).`,
    );
  }
  const sources = sourcesOfSuite(parseIndexTargets(targets.value), suite);
  if (sources.length > 0) return ok(sources);
  return fail('unavailable', `this host's package sources have no Debian ${suite}; name a mirror with --mirror URL.`);
}

/** The file may hold a password in a URI, so it is for this user alone. */
async function writeSources(folder: string, sources: readonly ArchiveSource[]): Promise<void> {
  let keyring: string | undefined;
  for (const path of keyrings) {
    const present = await access(path).then(
      () => true,
      () => false,
    );
    if (present) keyring ??= path;
  }
  await writeFile(join(folder, 'sources.list'), formatSources(sources, keyring), { mode: 0o600 });
}

function apt(folder: string, program: string, args: readonly string[], onReport?: (line: string) => void) {
  const options = [
    `Dir::Etc::sourcelist=${join(folder, 'sources.list')}`,
    'Dir::Etc::sourceparts=/dev/null',
    'Dir::Etc::preferences=/dev/null',
    'Dir::Etc::preferencesparts=/dev/null',
    `Dir::State::lists=${join(folder, 'lists')}`,
    `Dir::State::status=${join(folder, 'status')}`,
    `Dir::State::extended_states=${join(folder, 'extended-states')}`,
    `Dir::Cache=${folder}`,
    'Dir::Cache::archives=packages',
    'Acquire::Languages=none',
    'APT::Architecture=amd64',
    'APT::Architectures=amd64',
    'APT::Install-Recommends=false',
    // The user that apt as root downloads as has no access to our folder.
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const command = [program, '-c', join(folder, 'apt.conf'), ...options, ...args] as [string, ...string[]];
  return runProgram(command, onReport === undefined ? { cwd: folder } : { cwd: folder, onReport });
}
