import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { compareOutput, type Expected, type Machine, parseExpected } from './expected.ts';

const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(folder));
const MEMORY = '64M';
/** No guest prints as many bytes. */
const OUTPUT_LIMIT = 1 << 20;
const ERRORS_SHOWN = 4000;

export interface Guest {
  /** Path without extension, relative to this folder: `paging/two-level`. */
  readonly name: string;
  readonly expected: Expected;
}

export interface Outcome {
  readonly output: string;
  /** Exit status, or the signal's name, or what kept the program from running. */
  readonly status: number | string;
  /** What it wrote to standard error. */
  readonly errors: string;
}

/** All guests of one lane, in the order of their names. */
export function listGuests(slow: boolean): Guest[] {
  const guests: Guest[] = [];
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!path.endsWith('.asm')) continue;
    const name = path.slice(0, -'.asm'.length);
    const expected = parseExpected(readFileSync(join(folder, `${name}.expected`), 'utf8'));
    if (expected.slow === slow) guests.push({ name, expected });
    else if (slow && expected.slowAppends.length > 0) {
      guests.push({ name, expected: { ...expected, appends: expected.slowAppends, notQemu: true } });
    }
  }
  return guests;
}

/** Assembles a guest into `directory`. @returns the ELF file. Throws with nasm's message on a mistake in the source. */
export async function assemble(nasm: string, name: string, directory: string): Promise<string> {
  const elf = join(directory, `${name.replaceAll('/', '-')}.elf`);
  const source = join(folder, `${name}.asm`);
  const include = ['-I', `${join(folder, 'lib')}/`, '-I', `${dirname(source)}/`];
  await promisify(execFile)(nasm, ['-w-all', '-f', 'bin', ...include, '-o', elf, source]);
  return elf;
}

export interface CheckOptions {
  readonly timeoutMs: number;
  /** Corbel's accelerator, if not the one that it chooses. */
  readonly accel?: string;
  /** For Node, before Corbel's program. */
  readonly nodeOptions?: readonly string[];
}

/** Runs a guest, once for each of its command lines, and compares. @returns what is wrong, readable, or undefined. */
export async function check(
  guest: Guest,
  machine: Machine,
  elf: string,
  options: CheckOptions,
): Promise<string | undefined> {
  for (const append of guest.expected.appends) {
    const command =
      machine === 'qemu'
        ? qemuCommand(guest.expected, elf, append)
        : corbelCommand(guest.expected, elf, append, options);
    const outcome = await runCommand(command, options.timeoutMs);
    const problems = guest.expected.survives ? judgeSurvival(outcome) : judge(guest.expected, machine, outcome);
    if (problems.length > 0) {
      if (outcome.errors !== '') problems.push(`    standard error: ${outcome.errors}`);
      return `${machine} (- expected, + printed):\n${problems.join('\n')}\n    command: ${command.join(' ')}`;
    }
  }
  return undefined;
}

function judge(expected: Expected, machine: Machine, { output, status, errors }: Outcome): string[] {
  const problems: string[] = [];
  const diff = compareOutput(machine, expected, output);
  const lacking = diff === undefined && output.startsWith('absent: ');
  const wanted = lacking ? 1 : expected.status[machine];
  if (status !== wanted) problems.push(`    exit status ${status}, expected ${wanted}`);
  if (diff !== undefined) problems.push(diff);
  const unsaid = machine === 'corbel' ? expected.says.filter((text) => !errors.includes(text)) : [];
  problems.push(...unsaid.map((text) => `    it did not say: ${text}`));
  return problems;
}

/** The monitor's own failures: killed, no end, or the statuses for bad usage, bad input and its own defects. */
function judgeSurvival({ status }: Outcome): string[] {
  const failures: readonly (number | string)[] = [64, 65, 70];
  return typeof status === 'string' || failures.includes(status) ? [`    exit status ${status}`] : [];
}

/** QEMU's emulator, or undefined where it is not installed. */
export function findQemu(): string | undefined {
  return process.env.QEMU ?? findOnPath('qemu-system-x86_64');
}

function qemuCommand(expected: Expected, elf: string, append: string): string[] {
  const machine = ['-accel', 'tcg', '-cpu', expected.cpu, '-m', MEMORY, '-nodefaults', '-no-reboot'];
  const devices = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-serial', 'stdio', '-display', 'none'];
  const guest = ['-kernel', elf, '-append', append];
  if (expected.cpus > 1) machine.push('-smp', String(expected.cpus));
  return [findQemu() ?? 'qemu-system-x86_64', ...machine, ...devices, ...expected.qemuArgs, ...guest];
}

function corbelCommand(
  expected: Expected,
  elf: string,
  append: string,
  { accel, nodeOptions = [] }: CheckOptions,
): string[] {
  const program = join(root, 'build', 'bundle', 'corbel.js');
  const command = process.env.CORBEL?.split(' ') ?? [process.execPath, ...nodeOptions, program];
  const options = append === '' ? [] : ['--append', append];
  if (accel !== undefined) options.push('--accel', accel);
  const machine = ['--debug-exit', '--serial', 'stdio', '--memory', MEMORY];
  if (expected.cpus > 1) machine.push('--cpus', String(expected.cpus));
  return [...command, 'run', '--kernel', elf, ...machine, ...expected.corbelArgs, ...options];
}

function runCommand(command: readonly string[], timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const [file = '', ...args] = command;
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    let stopped: string | undefined;
    let size = 0;
    const stop = (why: string) => {
      stopped = why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop(`none after ${timeoutMs} ms`), timeoutMs);
    child.stdout.on('data', (data: Buffer) => {
      output.push(data);
      size += data.length;
      if (size > OUTPUT_LIMIT) stop('none: it prints without end');
    });
    child.stderr.on('data', (data: Buffer) => errors.push(data));
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ output: '', status: error.message, errors: '' });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const status = stopped ?? code ?? signal ?? 'unknown';
      resolve({
        output: Buffer.concat(output).toString('latin1'),
        status,
        errors: Buffer.concat(errors).toString('utf8').trim().slice(-ERRORS_SHOWN),
      });
    });
  });
}

function findOnPath(program: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((path) => join(path, program)).find((path) => existsSync(path));
}

/** The assembler: installed, or unpacked from the distribution's package into the cache. */
export async function findNasm(): Promise<string> {
  const installed = findOnPath('nasm');
  if (installed !== undefined) return installed;
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'corbel', 'nasm');
  const program = join(cache, 'usr', 'bin', 'nasm');
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  try {
    await promisify(execFile)('apt-get', ['download', 'nasm'], { cwd: cache });
    const deb = readdirSync(cache).find((name) => name.endsWith('.deb')) ?? '';
    await promisify(execFile)('dpkg-deb', ['-x', join(cache, basename(deb)), cache]);
  } catch {
    throw new Error('the guests need the assembler nasm: install it (apt-get install nasm).');
  }
  return program;
}
