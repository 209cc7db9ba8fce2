/** How Node's engine is set up for guests: by options that only the start of a process can set, and by flags from inside. */
import { enableCompileCache } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cacheFolder } from './cache-folder.ts';

/** Node's own choice, for every host. */
const defaultThreads = 4;
const poolSize = '--v8-pool-size';
/** Versions of V8 that are known to have the flags below: another might not know what is meant. */
const knownVersions = /^14\./;

interface Setting {
  readonly flags: readonly string[];
  /** An option of somebody who has chosen otherwise. */
  readonly chosen: RegExp;
}

/**
 * For inlining, code that is not optimised yet counts its calls, at each entry of a function. Regions reach one another
 * by a table, so there is nothing to inline; where much code is run seldom (a database), counting takes a tenth.
 *
 * The first flag follows from the second where that is an option, but not from inside; without it V8 runs into a trap. It does so, too,
 * where WebAssembly goes on that was compiled before: what Node strips types with, where the sources run as they are.
 */
const noInlining: Setting = {
  flags: ['--no-wasm-inlining-call-indirect', '--no-wasm-inlining'],
  chosen: /^--(no-)?wasm-inlining/,
};

/**
 * Calls after which JavaScript that one optimising compiler has done is left to the other, slower one; V8 says 3000. Each thread has
 * its own copy of the program: a third of what V8 compiled while a guest booted was not the guest's code but the program's.
 */
const lateOptimisation: Setting = {
  flags: ['--invocation-count-for-turbofan=30000'],
  chosen: /^--invocation-count-for-turbofan/,
};

const settings: readonly Setting[] = [noInlining, lateOptimisation];
/** What is loaded before this program may have run WebAssembly. */
const preloads = /^(-r|--require|--import|--loader|--experimental-loader)(=|$)/;

const runsFromSources = import.meta.url.endsWith('.ts');

const chosenOptions = (given: readonly string[], environment: string | undefined): readonly string[] => [
  ...given,
  ...(environment ?? '').split(/\s+/),
];

/**
 * Optimising what guests run keeps four of the engine's threads busy for as long as new code gets hot. Where there are
 * not as many cores, they take them from the processors that run it: on two cores, a fifth of a boot.
 * @returns the options to be added; none where they are there already, or the user has chosen others
 */
export function missingEngineOptions(
  cores: number,
  given: readonly string[],
  environment: string | undefined,
): readonly string[] {
  const threads = Math.max(1, cores - 1);
  const isChosen = chosenOptions(given, environment).some((one) => one.startsWith(poolSize));
  return threads >= defaultThreads || isChosen ? [] : [`${poolSize}=${threads}`];
}

/**
 * As options these have Node compile all modules of its own anew at each start, which is a twentieth of a second: what is compiled
 * beforehand holds for the flags that there are by default.
 * @param v8 its version; @returns none where V8 is another, and none that the user has chosen
 */
export function missingFlags(given: readonly string[], environment: string | undefined, v8: string): readonly string[] {
  if (!knownVersions.test(v8)) return [];
  const options = chosenOptions(given, environment);
  const missing = settings.filter(({ chosen }) => !options.some((option) => chosen.test(option)));
  return missing.flatMap(({ flags }) => flags);
}

/** To be called before the first guest, and when all modules are loaded that are going to be. */
export function setFlagsForGuests(): void {
  const { execArgv, env, versions } = process;
  if (runsFromSources || chosenOptions(execArgv, env.NODE_OPTIONS).some((option) => preloads.test(option))) return;
  const flags = missingFlags(execArgv, env.NODE_OPTIONS, versions.v8);
  for (const flag of flags) setFlagsFromString(flag);
}

/**
 * @returns what collects this thread's garbage; V8 does so only while more is made. `last-resort` moves what is left together: without
 * it, two fifths of the pages of a processor's heap stayed, half empty.
 */
export function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: {
    readonly type: 'major';
    readonly flavor: 'last-resort';
  }) => void;
  return () => collect({ type: 'major', flavor: 'last-resort' });
}

/** Becomes the same program with the options that are missing; returns where there are none, or the host cannot. */
export function restartForGuests(): void {
  const { execArgv, env, versions } = process;
  const flags = runsFromSources ? missingFlags(execArgv, env.NODE_OPTIONS, versions.v8) : [];
  const options = [...missingEngineOptions(availableParallelism(), execArgv, env.NODE_OPTIONS), ...flags];
  // A parent that talks to this process would lose it.
  if (options.length === 0 || process.execve === undefined || process.channel !== undefined) return;
  const program = [process.execPath, ...process.execArgv, ...options, ...process.argv.slice(1)];
  try {
    process.execve(process.execPath, program, process.env);
  } catch {
    // It goes without.
  }
}

/**
 * What Node makes of the sources is kept between starts: half of the time that each thread takes to load them. The built program
 * keeps more: see `compiled-program.ts`.
 */
export function keepCompiledSources(): void {
  const { env } = process;
  if (!runsFromSources || env.NODE_COMPILE_CACHE !== undefined || env.NODE_DISABLE_COMPILE_CACHE !== undefined) return;
  const folder = join(cacheFolder(env), 'sources');
  enableCompileCache(folder);
  env.NODE_COMPILE_CACHE = folder; // Threads go by this.
}
