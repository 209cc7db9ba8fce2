import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/host/node/guest/command.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { type Command, kernelCommandLine, type Runner } from './runner.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const node = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;

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

/** Corbel as a person starts it. */
export function corbelProgram(): Command {
  return { program: node[0], args: [node[1], `${root}/build/bundle/corbel.js`] };
}

/** Brings the build up to date. @returns which version it is */
export async function prepareCorbel(): Promise<Result<string>> {
  const built = await runCommand([process.execPath, 'scripts/bootstrap.mjs', 'build'], root);
  if (!built.ok) return fail('unavailable', `the build failed: ${built.message}`);
  const shown = await runCommand([...node, 'build/bundle/corbel.js', '--version'], root);
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
