/** Options of Node's engine that only the start of a process can set, and that guests need. */
import { enableCompileCache } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from './guest/cache.ts';

/** Node's own choice, for every host. */
const defaultThreads = 4;
const poolSize = '--v8-pool-size';
const collection = '--expose-gc';
/** Versions of V8 that are known to have it: another might refuse to start. */
const inlining = { versions: /^14\./, off: '--no-wasm-inlining', on: '--wasm-inlining' } as const;

/**
 * Optimising what guests run keeps four of the engine's threads busy for as long as new code gets hot. Where there are
 * not as many cores, they take them from the processors that run it: on two cores, a fifth of a boot.
 *
 * For inlining, code that is not optimised yet counts its calls, at each entry of a function. Regions reach one another
 * by a table, so there is nothing to inline; where much code is run seldom (a database), counting takes a tenth.
 *
 * A thread that has made much garbage and is idle then has to be able to ask for its collection.
 * @param v8 its version
 * @returns the options to be added; none where they are there already, or the user has chosen others
 */
export function missingEngineOptions(
  cores: number,
  given: readonly string[],
  environment: string | undefined,
  v8: string,
): readonly string[] {
  const options: string[] = [];
  const chosen = [...given, ...(environment ?? '').split(/\s+/)];
  const isChosen = (option: string): boolean => chosen.some((one) => one.startsWith(option));
  const threads = Math.max(1, cores - 1);
  if (threads < defaultThreads && !isChosen(poolSize)) options.push(`${poolSize}=${threads}`);
  if (!isChosen(collection)) options.push(collection);
  if (inlining.versions.test(v8) && !isChosen(inlining.off) && !isChosen(inlining.on)) options.push(inlining.off);
  return options;
}

/**
 * glibc gives each thread memory of its own to allocate from, and a machine has six: with two such arenas its beginning
 * touches a tenth less. It goes with a restart, and is not worth one. mallopt(3)
 */
export const withFewArenas = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  MALLOC_ARENA_MAX: '2',
  ...environment,
});

/** Becomes the same program with the options that are missing; returns where there are none, or the host cannot. */
export function restartForGuests(): void {
  const options = missingEngineOptions(
    availableParallelism(),
    process.execArgv,
    process.env.NODE_OPTIONS,
    process.versions.v8,
  );
  // A parent that talks to this process would lose it.
  if (options.length === 0 || process.execve === undefined || process.channel !== undefined) return;
  const program = [process.execPath, ...process.execArgv, ...options, ...process.argv.slice(1)];
  try {
    process.execve(process.execPath, program, withFewArenas(process.env));
  } catch {
    // It goes without.
  }
}

/** What the engine makes of the program's text is kept between starts: half of the time that each thread takes to load. */
export function keepCompiledProgram(): void {
  const { env } = process;
  if (env.NODE_COMPILE_CACHE !== undefined || env.NODE_DISABLE_COMPILE_CACHE !== undefined) return;
  const folder = join(cacheFolder(env), 'program');
  enableCompileCache(folder);
  env.NODE_COMPILE_CACHE = folder; // Threads go by this.
}
