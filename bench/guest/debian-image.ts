/** The image of Debian that whole systems are measured with: built once by `corbel image build`, and kept. */
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../../src/host/node/cache-folder.ts';
import { type DebianImage, findImage } from '../../src/host/node/debian/image-parts.ts';
import { sha256 } from '../../src/host/node/guest/cache.ts';
import { hasProgram } from '../../src/host/node/program.ts';
import { withWorkFolder } from '../../src/host/node/work-folder.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { runOwned } from '../measure/owned-process.ts';

export interface BenchImage {
  readonly image: DebianImage;
  /** The file with the private key that root's SSH server knows; undefined where the host has no ssh-keygen. */
  readonly key: string | undefined;
}

/** What the trials run, beside what every image has. */
export const imagePackages = ['fio', 'gcc', 'iperf3', 'libc6-dev', 'make', 'postgresql', 'stress-ng'] as const;

export const imageSuite = 'bookworm';
const size = '8G';
const buildTimeoutMs = 3_600_000;
const corbel = fileURLToPath(new URL('../../src/cli/corbel.ts', import.meta.url));

/** Where an image with these packages is kept: another list is another image. */
export function imageFolder(packages: readonly string[], withKey: boolean): string {
  const what = JSON.stringify({ suite: imageSuite, size, packages: [...packages].sort(), withKey });
  return join(cacheFolder(), 'bench-debian', sha256(Buffer.from(what)).slice(0, 16));
}

/** Whether guests can be reached from this host. */
export async function hasSsh(): Promise<boolean> {
  return (await hasProgram('ssh')) && (await hasProgram('ssh-keygen'));
}

/** Builds the image unless it is there. */
export async function provideDebianImage(note: (text: string) => void): Promise<Result<BenchImage>> {
  const withKey = await hasSsh();
  const folder = imageFolder(imagePackages, withKey);
  const place = (at: string) => ({ disk: join(at, 'debian.qcow2'), key: withKey ? join(at, 'key') : undefined });
  const known = await findImage(place(folder).disk);
  if (known !== undefined) return ok({ image: known, key: place(folder).key });
  note(`building an image of Debian with ${imagePackages.join(', ')} (once; it takes minutes)`);
  const parent = join(cacheFolder(), 'bench-debian');
  await mkdir(parent, { recursive: true });
  return withWorkFolder(parent, 'build', async (work) => {
    const { disk, key } = place(work);
    const built = await build(disk, key);
    if (!built.ok) return built;
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
    const image = await findImage(place(folder).disk);
    return image === undefined
      ? fail('unavailable', 'the image that was built is not whole')
      : ok({ image, key: place(folder).key });
  });
}

async function build(disk: string, key: string | undefined): Promise<Result<string>> {
  const options = { timeoutMs: buildTimeoutMs, family: true };
  if (key !== undefined) {
    const args = ['-q', '-t', 'ed25519', '-N', '', '-C', 'bench', '-f', key];
    const made = await runOwned({ program: 'ssh-keygen', args }, options);
    if (!made.ok) return fail('unavailable', `no SSH key could be made: ${made.error.message}`);
  }
  const args = [
    ['--disable-warning=ExperimentalWarning', corbel, 'image', 'build', 'debian', '--output', disk],
    ['--suite', imageSuite, '--size', size, ...imagePackages.flatMap((name) => ['--package', name])],
    key === undefined ? [] : ['--ssh-key', `${key}.pub`],
  ].flat();
  const built = await runOwned({ program: process.execPath, args }, options);
  return built.ok ? built : fail('unavailable', `the image of Debian was not built: ${built.error.message}`);
}
