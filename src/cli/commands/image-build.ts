import { readFile } from 'node:fs/promises';
import { buildDebianImage, type ImagePhase } from '../../host/node/debian/debian-image.ts';
import type { DebianImage } from '../../host/node/debian/image-parts.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { exitStatus } from '../exit-status.ts';
import { type ImageBuildOptions, imageBuildHelp, parseImageBuildOptions } from '../image-build-options.ts';
import { say } from '../messages.ts';
import { ProgressBar } from '../progress-bar.ts';

const phaseNames: Readonly<Record<ImagePhase, string>> = {
  lists: 'reading the package lists',
  download: 'downloading packages',
  unpack: 'unpacking the base system',
  essential: 'configuring the base system',
  install: 'installing packages',
  finish: 'making it bootable',
  'file-system': 'writing the file system',
  store: 'storing the image',
};

export async function imageBuildCommand(args: readonly string[]): Promise<number> {
  const options = parseImageBuildOptions(args);
  if (!options.ok) {
    say(options.error.message);
    return exitStatus.usage;
  }
  if (options.value === 'help') {
    process.stdout.write(imageBuildHelp);
    return exitStatus.ok;
  }
  const keys = await readKeys(options.value.sshKey);
  const built = keys.ok ? await buildWithProgress(options.value, keys.value) : keys;
  if (!built.ok) {
    say(built.error.message);
    return exitStatus.badInput;
  }
  process.stdout.write(options.value.json ? `${JSON.stringify(built.value)}\n` : describe(built.value));
  return exitStatus.ok;
}

/** Builds an image, and shows how far it is where somebody can see it. */
export async function buildWithProgress(
  options: Omit<ImageBuildOptions, 'sshKey' | 'json'>,
  authorizedKeys: string | undefined,
): Promise<Result<DebianImage>> {
  let shown: { phase: ImagePhase; bar: ProgressBar } | undefined;
  const built = await buildDebianImage({ ...options, authorizedKeys }, (phase, share) => {
    if (shown?.phase !== phase) {
      shown?.bar.clear();
      shown = { phase, bar: new ProgressBar(phaseNames[phase], false) };
    }
    shown.bar.show(share);
  });
  shown?.bar.clear();
  return built;
}

/** OpenSSH's public keys, one a line (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). */
async function readKeys(path: string | undefined): Promise<Result<string | undefined>> {
  if (path === undefined) return ok(undefined);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    return fail('input', `the SSH key ${path} cannot be read (${(error as Error).message}).`);
  }
  const isKey = (line: string): boolean =>
    /(^|\s)(ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+ AAAA[A-Za-z0-9+/]+=*(\s|$)/.test(line);
  const wrong = text.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#') && !isKey(line));
  if (wrong === undefined && text.trim() !== '') return ok(`${text.trimEnd()}\n`);
  const hint = text.includes('PRIVATE KEY') ? 'it is a private key; give the file that ends in .pub' : 'it holds none';
  return fail('input', `${path} is no file of public SSH keys: ${hint}.`);
}

function describe(image: DebianImage): string {
  return `${image.disk}: Debian ${image.version} (${image.suite}), ${image.packages.length} packages
to boot it:   corbel run --disk ${image.disk}
its kernel:   ${image.kernel}
its initrd:   ${image.initrd}
command line: ${image.commandLine}
`;
}
