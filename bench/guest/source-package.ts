/** The source of a Debian package, for guests that compile it: from the host's own package sources, and kept. */
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../src/host/node/cache-folder.ts';
import {
  formatSources,
  indexTargetFormat,
  parseIndexTargets,
  sourcesOfSuite,
} from '../../src/host/node/debian/archive-sources.ts';
import { runProgram } from '../../src/host/node/program.ts';
import { withWorkFolder } from '../../src/host/node/work-folder.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';

/** Whether a file is what the authors of `name` released, and not what Debian adds to it. */
export function isOriginalSource(name: string, file: string): boolean {
  return file.startsWith(`${name}_`) && /\.orig\.tar\.(gz|xz|bz2)$/.test(file);
}

/** @returns the path of the authors' archive of the source package `name` */
export async function provideSource(name: string, suite: string): Promise<Result<string>> {
  const parent = join(cacheFolder(), 'bench-sources');
  await mkdir(parent, { recursive: true });
  const find = async (folder: string): Promise<string | undefined> =>
    (await readdir(folder)).find((file) => isOriginalSource(name, file));
  const known = await find(parent);
  if (known !== undefined) return ok(join(parent, known));
  return withWorkFolder(parent, 'fetch', async (work) => {
    const got = await download(name, suite, work);
    if (!got.ok) return fail('unavailable', `the source of ${name} could not be downloaded: ${got.error.message}`);
    const file = await find(work);
    if (file === undefined) return fail('unavailable', `apt-get downloaded no source of ${name}`);
    await rename(join(work, file), join(parent, file));
    return ok(join(parent, file));
  });
}

/** Few hosts have sources of sources, so the host's sources are asked for both; its own lists stay as they are. */
async function download(name: string, suite: string, cwd: string): Promise<Result<string[]>> {
  const targets = await runProgram(['apt-get', 'indextargets', '--format', indexTargetFormat], { cwd });
  if (!targets.ok) return targets;
  const sources = sourcesOfSuite(parseIndexTargets(targets.value), suite);
  if (sources.length === 0) return fail('unavailable', `this host's package sources have no Debian ${suite}`);
  const signed = formatSources(sources, '/usr/share/keyrings/debian-archive-keyring.gpg');
  const list = join(cwd, 'sources.list');
  await writeFile(list, signed.replaceAll(/^deb /gm, 'deb-src '), { mode: 0o600 });
  await mkdir(join(cwd, 'lists/partial'), { recursive: true });
  await mkdir(join(cwd, 'archives/partial'), { recursive: true });
  const options = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(cwd, 'lists')}`,
    `Dir::Cache=${cwd}`,
    'Acquire::Languages=none',
    'APT::Update::Error-Mode=any',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const updated = await runProgram(['apt-get', ...options, '-q', 'update'], { cwd });
  if (!updated.ok) return updated;
  return runProgram(['apt-get', ...options, '-q', 'source', '--download-only', name], { cwd });
}
