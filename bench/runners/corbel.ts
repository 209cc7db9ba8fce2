import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/host/node/guest/command.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { type Command, kernelCommandLine, type Runner } from './runner.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = `${root}/build/bundle/corbel.js`;

/** The last line that is a JSON object, which is what `--stats --json` prints. */
export function parseStatistics(stderr: string): Readonly<Record<string, number>> | undefined {
  const line = stderr
    .split('\n')
    .filter((text) => text.startsWith('{'))
    .at(-1);
  if (line === undefined) return undefined;
  try {
    return JSON.parse(line) as Record<string, number>;
  } catch {
    return undefined;
  }
}

/** Corbel as a person starts it: with the options that its first line gives Node. */
export function corbelProgram(): Command {
  const [firstLine = ''] = readFileSync(program, 'utf8').split('\n', 1);
  const options = firstLine.split(' ').filter((word) => word.startsWith('--'));
  return { program: process.execPath, args: [...options, program] };
}

/** Brings the build up to date. @returns which version it is */
export async function prepareCorbel(): Promise<Result<string>> {
  const built = await runCommand([process.execPath, 'scripts/bootstrap.mjs', 'build'], root);
  if (!built.ok) return fail('unavailable', `the build failed: ${built.message}`);
  const shown = await runCommand([corbelProgram().program, ...corbelProgram().args, '--version'], root);
  const version = Buffer.from(shown.stdout).toString('utf8').trim();
  return shown.ok ? ok(`${version}, Node ${process.versions.node}`) : fail('unavailable', shown.message);
}

export function corbel(accel: 'interpret' | 'translate'): Runner {
  return {
    name: `corbel-${accel}`,
    machine: true,
    prepare: prepareCorbel,
    command: (image) => ({
      program: corbelProgram().program,
      args: [
        [...corbelProgram().args, 'run', '--accel', accel, '--memory', `${image.memoryMb}M`],
        ['--kernel', image.kernel, '--initrd', image.initrd, '--append', kernelCommandLine, '--stats', '--json'],
      ].flat(),
    }),
    statistics: parseStatistics,
  };
}
