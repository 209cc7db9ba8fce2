import { runCommand } from '../../src/host/node/guest/command.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { kernelCommandLine, type Runner } from './runner.ts';

export const qemuProgram = 'qemu-system-x86_64';

/** @returns which version it is */
export async function prepareQemu(): Promise<Result<string>> {
  const shown = await runCommand([qemuProgram, '--version'], '/');
  if (!shown.ok) return fail('unavailable', `${qemuProgram} did not start (${shown.message}); install qemu-system-x86`);
  return ok(Buffer.from(shown.stdout).toString('utf8').split('\n', 1)[0] ?? '');
}

/**
 * QEMU's translator. The processor is its default, which is also what suits it best: the kernel needs no page-table
 * isolation there, and no vector instructions wider than ours are offered. Nothing that has to be probed is plugged in.
 */
export const qemuTcg: Runner = {
  name: 'qemu-tcg',
  machine: true,
  prepare: prepareQemu,
  command: (image) => ({
    program: qemuProgram,
    args: [
      ['-accel', 'tcg', '-m', `${image.memoryMb}`, '-smp', '1'],
      ['-no-user-config', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
      ['-kernel', image.kernel, '-initrd', image.initrd, '-append', kernelCommandLine],
    ].flat(),
  }),
};
