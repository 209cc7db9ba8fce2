/** Makes a disk image of Debian from its package files, as any user. */
import { chmod, copyFile, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { sectorBytes } from '../../../block/disk.ts';
import { grubSectors } from '../../../block/partition/grub-sectors.ts';
import { partitionAlignment, writeMasterBootRecord } from '../../../block/partition/master-boot-record.ts';
import { mbrType } from '../../../spec/pc/mbr.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { cacheFolder } from '../cache-folder.ts';
import { convertToQcow2 } from '../disk/convert.ts';
import { withFolderLock } from '../folder-lock.ts';
import { hasProgram } from '../program.ts';
import { randomInt } from '../random.ts';
import { withWorkFolder } from '../work-folder.ts';
import { type BuildPhase, BuildProgress } from './build-progress.ts';
import { type BuildRoom, findBuildRoom, runInRoom } from './build-room.ts';
import { buildScript, configureScript } from './build-scripts.ts';
import { DebianArchive } from './debian-archive.ts';
import { grubSearch, guestFiles, guestServices, idleServices, kernelCommandLine } from './guest-files.ts';
import { type DebianImage, type InstalledPackage, imageParts, writeImageDescription } from './image-parts.ts';
import { essentialRequests, suites, systemRequests, wantedPackages } from './package-sets.ts';

export interface DebianImageRequest {
  /** One of `suites`. */
  readonly suite: string;
  /** Where the packages come from, in place of the host's own package sources. */
  readonly mirror: string | undefined;
  /** Packages beside those that every image has. */
  readonly packages: readonly string[];
  readonly hostname: string;
  /** Root's; without one, root logs in at the console without a password. */
  readonly password: string | undefined;
  /** The text of an authorized_keys file, for root. */
  readonly authorizedKeys: string | undefined;
  /** Of the disk; a multiple of a mebibyte. */
  readonly sizeBytes: number;
  /** Where the image goes; what belongs to it goes beside it. */
  readonly output: string;
}

/** In the work folder. */
const packagesFolder = 'packages';

export type ImagePhase = 'lists' | 'download' | BuildPhase | 'store';

/** Told what is done, and the share of it that is there, from 0 to 1. */
export type ImageProgress = (phase: ImagePhase, share: number) => void;

/** What a system of the usual packages takes while it is made, and half as much again. */
const comfortableMemoryBytes = 3 * 2 ** 30;

/** What the scripts run on the host, and the packages that bring it. */
const tools: readonly (readonly [program: string, packageName: string])[] = [
  ['apt-get', 'apt'],
  ['dpkg-deb', 'dpkg'],
  ['mke2fs', 'e2fsprogs'],
  ['tar', 'tar'],
  ['unshare', 'util-linux'],
  ['mount', 'mount'],
];

export async function buildDebianImage(
  request: DebianImageRequest,
  progress: ImageProgress,
): Promise<Result<DebianImage>> {
  for (const [program, packageName] of tools) {
    if (await hasProgram(program)) continue;
    const advice = `it comes with the package ${packageName} of Debian and Ubuntu`;
    return fail('unavailable', `an image of Debian is built with ${program}, which is not here; ${advice}.`);
  }
  const cache = join(cacheFolder(), 'images');
  try {
    await mkdir(cache, { recursive: true });
    return await withWorkFolder(cache, 'build', async (work) => {
      await mkdir(join(work, 'probe'));
      const room = await findBuildRoom(join(work, 'probe'));
      return room.ok ? buildIn(room.value, work, request, progress) : room;
    });
  } catch (error) {
    // A full disk, a folder that may not be written to.
    return fail('unavailable', `the image could not be made: ${(error as Error).message}.`);
  }
}

async function buildIn(
  room: BuildRoom,
  work: string,
  request: DebianImageRequest,
  progress: ImageProgress,
): Promise<Result<DebianImage>> {
  const archive = await fetchPackages(work, request, progress);
  if (!archive.ok) return archive;
  const rootUuid = globalThis.crypto.randomUUID();
  await writeInputs(work, archive.value, request, rootUuid);
  const firstByte = partitionAlignment * sectorBytes;
  const kibibytes = (request.sizeBytes - firstByte) / 1024;
  const disk = await open(join(work, 'disk.raw'), 'wx');
  await disk.truncate(request.sizeBytes);
  await disk.close();
  const memory = freemem() >= comfortableMemoryBytes ? Math.floor(freemem() * 0.75) : 0;
  const values = [work, join(work, packagesFolder), memory, rootUuid, firstByte, kibibytes].map(String);
  const report = new BuildProgress(progress);
  const built = await runInRoom(room, ['/bin/sh', join(work, 'build'), ...values], {
    cwd: work,
    onReport: (line) => report.report(line),
  });
  if (!built.ok) return fail('unavailable', `the system could not be installed: ${built.error.message}.`);
  const bootable = await makeBootable(work, request.sizeBytes);
  if (!bootable.ok) return bootable;
  return store(work, request, kernelCommandLine(rootUuid), (share) => progress('store', share));
}

async function fetchPackages(
  work: string,
  request: DebianImageRequest,
  progress: ImageProgress,
): Promise<Result<DebianArchive>> {
  progress('lists', 0);
  const folder = join(dirname(work), `archive-${request.suite}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return withFolderLock(folder, () => fetchInto(work, folder, request, progress));
}

async function fetchInto(
  work: string,
  folder: string,
  request: DebianImageRequest,
  progress: ImageProgress,
): Promise<Result<DebianArchive>> {
  const archive = await DebianArchive.open(folder, request.suite, request.mirror);
  if (!archive.ok) return archive;
  const requests = systemRequests(request.packages);
  const essential = await archive.value.plan(essentialRequests);
  if (!essential.ok) return essential;
  const system = await archive.value.plan(requests);
  if (!system.ok) return system;
  progress('download', 0);
  const downloaded = await archive.value.download(requests, (share) => progress('download', share));
  if (!downloaded.ok) return fail('unavailable', `the packages could not be downloaded: ${downloaded.error.message}.`);
  await archive.value.place([...new Set([...essential.value, ...system.value])], join(work, packagesFolder));
  await archive.value.forgetOthers(system.value);
  await mkdir(join(work, 'inside'));
  await writeFile(join(work, 'essential'), lines(essential.value));
  await writeFile(join(work, 'inside/essential'), lines(essential.value));
  await writeFile(join(work, 'inside/system'), lines(system.value));
  return archive;
}

/** What the scripts read; `inside` is what the new system gets to see. */
async function writeInputs(
  work: string,
  archive: DebianArchive,
  request: DebianImageRequest,
  rootUuid: string,
): Promise<void> {
  const inside = join(work, 'inside');
  const { hostname, password, authorizedKeys } = request;
  const files = guestFiles({ hostname, rootUuid, sources: archive.sources, passwordLogin: password !== undefined });
  for (const { path, text } of files) {
    const target = join(inside, 'files', path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
  const list = files.map(({ path, mode }) => `${mode.toString(8)} ${path}`);
  const texts: [string, string][] = [
    ['file-list', lines(list)],
    ['services', lines(guestServices)],
    ['idle-services', lines(idleServices)],
    ['wanted', lines([...wantedPackages, ...request.packages])],
    ['grub-search.cfg', grubSearch(rootUuid)],
    ['password', password === undefined ? '' : `root:${password}\n`],
    ['authorized-keys', authorizedKeys ?? ''],
    ['configure', configureScript],
  ];
  for (const [name, text] of texts) await writeFile(join(inside, name), text, { mode: 0o600 });
  await writeFile(join(work, 'build'), buildScript);
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}

/** Sector 0 and GRUB, before the file system that is there already. */
async function makeBootable(work: string, sizeBytes: number): Promise<Result<void>> {
  const boot = await readFile(join(work, 'boot.img'));
  const core = await readFile(join(work, 'core.img'));
  const grub = grubSectors(boot, core, partitionAlignment);
  if (!grub.ok) return grub;
  const sectorCount = sizeBytes / sectorBytes - partitionAlignment;
  const root = { firstSector: partitionAlignment, sectorCount, type: mbrType.linux, active: true };
  const record = writeMasterBootRecord(grub.value.bootCode, 1 + randomInt(2 ** 32 - 1), [root]);
  if (!record.ok) return record;
  const disk = await open(join(work, 'disk.raw'), 'r+');
  await disk.write(record.value, 0, record.value.length, 0);
  await disk.write(grub.value.core, 0, grub.value.core.length, sectorBytes);
  await disk.close();
  return ok(undefined);
}

/** Each file appears at its place whole; the description, which makes an image of them, comes last. */
async function store(
  work: string,
  request: DebianImageRequest,
  commandLine: string,
  progress: (share: number) => void,
): Promise<Result<DebianImage>> {
  const { suite, hostname, sizeBytes } = request;
  const parts = imageParts(resolve(request.output));
  const installed = (await readFile(join(work, 'installed'), 'utf8')).trimEnd().split('\n');
  const packages = installed.map((line): InstalledPackage => {
    const [name = '', version = ''] = line.split(' ');
    return { name, version };
  });
  await mkdir(dirname(parts.disk), { recursive: true });
  const unfinished = `${parts.disk}.${process.pid}`;
  const converted = await convertToQcow2(join(work, 'disk.raw'), unfinished, progress);
  if (!converted.ok) {
    await rm(unfinished, { force: true });
    return converted;
  }
  await rm(parts.description, { force: true });
  await rename(unfinished, parts.disk);
  await place(join(work, 'vmlinuz'), parts.kernel);
  await place(join(work, 'initrd'), parts.initrd);
  const description = { suite, version: suites[suite] as string, hostname, sizeBytes, commandLine, packages };
  await writeImageDescription(parts, description);
  return ok({ ...parts, ...description });
}

async function place(from: string, to: string): Promise<void> {
  const unfinished = `${to}.${process.pid}`;
  await copyFile(from, unfinished);
  await chmod(unfinished, 0o644);
  await rename(unfinished, to);
}
