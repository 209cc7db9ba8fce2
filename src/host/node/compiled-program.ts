/**
 * Loads what the threads of this process run. The sources run as they are; of the build, each thread's program is one text, and
 * what V8 has made of it by the end of a run is kept for the next: bytecode of all functions that were called. Node's own cache
 * holds what is compiled before anything runs, which leaves the better part to be parsed anew, in each thread at each start.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedDataVersionTag } from 'node:v8';
import { constants, Script } from 'node:vm';
import { threadId } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { cacheFolder } from './cache-folder.ts';

export interface LoadedProgram<T> {
  /** What its entry exports. */
  readonly exports: T;
  /** Whether V8 made use of what was kept. */
  readonly taken: boolean;
  /** To be called once, when most of what a run calls has been called: has it kept for the next start. */
  keep(): void;
}

/** What the texts of the built program consist of; see `scripts/bundle.mjs`. */
type Wrapper = (require: NodeJS.Require, module: { exports: unknown }, exports: unknown, programUrl: string) => void;

/**
 * V8's data as of version 14 begin with words, of which this one tells the flags that V8 had (`SerializedCodeData`, code-serializer.h).
 * They are those at the time of writing, but those at the start are what counts: none of the flags that guests want changes bytecode.
 */
const flagsWord = { at: 12, bytes: 4, versions: /^14\./ } as const;
/** The bytes' CRC-32, before them in the file. */
const checksumBytes = 4;
const keptMs = 30 * 24 * 3600 * 1000;

const runsFromSources = import.meta.url.endsWith('.ts');

/** What a run has to be like for others to begin with what V8 made of it. */
export interface KeptRun {
  /** Runs that call other functions keep theirs apart. */
  readonly kind: string;
  /** One that was over sooner has called too few. */
  readonly leastMs: number;
}

/** A guest that ran. */
export const guestRun: KeptRun = { kind: 'guest', leastMs: 1000 };

/** @param source address of its entry, among the sources; of the build, the program of the same name is loaded */
export async function loadProgram<T>(source: URL, run: KeptRun): Promise<LoadedProgram<T>> {
  if (runsFromSources) return { exports: (await import(source.href)) as T, taken: false, keep: () => {} };
  const file = new URL(`./${basename(source.pathname, '.ts')}.cjs`, import.meta.url);
  return loadBuiltProgram(file, join(cacheFolder(), 'program'), run);
}

/** @param file its text, a `Wrapper`; @param folder where what V8 made of it is kept */
export function loadBuiltProgram<T>(file: URL, folder: string, { kind, leastMs }: KeptRun): LoadedProgram<T> {
  const startMs = performance.now();
  const bytes = readFileSync(file);
  // The build keeps to ASCII: a byte a character in V8's heap, too.
  const text = bytes.toString('latin1');
  const kept = join(folder, `${kind}-${nameOf(bytes)}`);
  const cachedData = readKept(kept);
  const script = new Script(text, {
    filename: fileURLToPath(file),
    cachedData,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const flags = cachedData === undefined ? flagsOfNow() : undefined;
  const module = { exports: {} };
  const require = process.getBuiltinModule as NodeJS.Require;
  (script.runInThisContext() as Wrapper)(require, module, module.exports, file.href);
  return {
    exports: module.exports as T,
    taken: cachedData !== undefined && script.cachedDataRejected === false,
    keep: () => {
      if (flags !== undefined && performance.now() - startMs >= leastMs) write(kept, script.createCachedData(), flags);
    },
  };
}

/** Where a thread's program begins: `guest-thread.ts` in the sources, JavaScript in the build. */
export function programFile(name: string): URL {
  return new URL(`./${name}${runsFromSources ? '.ts' : '.js'}`, import.meta.url);
}

/** One for each text and each engine, whose processor and options count, too. */
function nameOf(text: Buffer): string {
  return `${crc32(text).toString(16)}-${text.length}-${cachedDataVersionTag().toString(16)}`;
}

/** @returns undefined where there are none, or they are damaged, of which V8 would not tell */
function readKept(file: string): Buffer | undefined {
  try {
    const bytes = readFileSync(file);
    const data = bytes.subarray(checksumBytes);
    return bytes.readUInt32LE(0) === crc32(data) ? data : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined where it is not known how V8 notes them: nothing is kept then */
function flagsOfNow(): Buffer | undefined {
  if (!flagsWord.versions.test(process.versions.v8)) return undefined;
  return new Script('').createCachedData().subarray(flagsWord.at, flagsWord.at + flagsWord.bytes);
}

function write(file: string, data: Buffer, flags: Buffer): void {
  flags.copy(data, flagsWord.at);
  const checksum = Buffer.alloc(checksumBytes);
  checksum.writeUInt32LE(crc32(data));
  // Processors run the same program, and come to their end together.
  const unfinished = `${file}.${process.pid}-${threadId}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    removeOld(dirname(file));
    writeFileSync(unfinished, Buffer.concat([checksum, data]), { mode: 0o600 });
    renameSync(unfinished, file);
  } catch {
    // The next start takes longer.
  }
}

/** What other versions of this program or of its engine have left. One that is still in use makes it anew. */
function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > keptMs) rmSync(path, { recursive: true, force: true });
  }
}
