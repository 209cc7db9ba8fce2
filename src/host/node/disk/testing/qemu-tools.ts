/** QEMU's own programs as judges of what this room does to images. */
import { spawn, spawnSync } from 'node:child_process';

/** A reason to skip where they are not installed. */
export function qemuToolsSkip(): string | false {
  const missing = ['qemu-img', 'qemu-io'].filter((name) => spawnSync(name, ['--version']).error !== undefined);
  return missing.length === 0 ? false : `${missing.join(' and ')} not installed (apt-get install qemu-utils)`;
}

export interface ToolResult {
  readonly status: number | null;
  /** Standard output, then standard error. */
  readonly text: string;
  readonly stdout: string;
}

export function run(program: string, args: readonly string[]): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let errors = '';
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, text: stdout + errors }));
  });
}

/** Runs `qemu-img`; throws with what it said unless it succeeds. @returns its standard output */
export async function qemuImg(...args: readonly string[]): Promise<string> {
  const { status, text, stdout } = await run('qemu-img', args);
  if (status !== 0) throw new Error(`qemu-img ${args.join(' ')}: status ${status}: ${text}`);
  return stdout;
}

/** Runs `qemu-io` with commands; throws with what it said unless it succeeds. */
export async function qemuIo(format: string, file: string, ...commands: readonly string[]): Promise<string> {
  const { status, text } = await run('qemu-io', ['-f', format, ...commands.flatMap((each) => ['-c', each]), file]);
  if (status !== 0) throw new Error(`qemu-io ${file} ${commands.join('; ')}: status ${status}: ${text}`);
  return text;
}
