/** The executor that is the host's own CPU, by way of native.c. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaseBatch, Results } from './case.ts';
import type { Executor } from './executor.ts';

const source = join(import.meta.dirname, 'native.c');
const compileFlags = '-O2 -Wall -Wextra -static -no-pie -fno-pie -fno-stack-protector -fcf-protection=none'.split(' ');

/** Compiles native.c unless this very source was compiled before. @returns the program, or why there is none */
function compile(): { program: string } | { reason: string } {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { reason: 'the host is not x86-64 Linux' };
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'corbel', 'oracle');
  const text = readFileSync(source);
  const digest = createHash('sha256').update(text).update(compileFlags.join(' ')).digest('hex').slice(0, 16);
  const program = join(cache, `native-${digest}`);
  if (existsSync(program)) return { program };
  mkdirSync(cache, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  const compiler = process.env.CC ?? 'gcc';
  const compiled = spawnSync(compiler, [...compileFlags, '-o', unfinished, source], { encoding: 'utf8' });
  if (compiled.error) return { reason: `${compiler} could not be started (${compiled.error.message})` };
  if (compiled.status !== 0) return { reason: `${compiler} failed: ${compiled.stderr}` };
  renameSync(unfinished, program);
  return { program };
}

/** CPU features of this host by Linux's names, which `feature` in the instruction table follows, and its aliases. */
function hostFeatures(): ReadonlySet<string> {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(/\s+/) ?? [];
  const features = new Set(flags);
  if (features.has('abm')) features.add('lzcnt');
  if (features.has('pni')) features.add('sse3');
  return features;
}

class NativeExecutor implements Executor {
  readonly name = 'native CPU';
  readonly features = hostFeatures();
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  /** @throws if the harness itself fails, which a case can bring about only by writing where none should point. */
  execute(batch: CaseBatch): Results {
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'corbel-oracle-'));
    try {
      const input = join(folder, 'batch');
      const output = join(folder, 'results');
      writeFileSync(input, batch.file());
      const run = spawnSync(this.#program, [input, output], { encoding: 'utf8' });
      if (run.status !== 0) throw new Error(`native harness: ${run.signal ?? run.status} ${run.stderr}`);
      const bytes = readFileSync(output);
      return new Results(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}

export type Native = InstanceType<typeof NativeExecutor>;

/** The native executor, or the reason why this host cannot have one. */
export function openNative(): { ok: true; native: Native } | { ok: false; reason: string } {
  const compiled = compile();
  if ('reason' in compiled) return { ok: false, reason: compiled.reason };
  const probe = spawnSync(compiled.program, ['--probe'], { encoding: 'utf8' });
  if (probe.status !== 0) return { ok: false, reason: probe.stderr.trim() };
  return { ok: true, native: new NativeExecutor(compiled.program) };
}
