import { runCommand } from '../../src/host/node/guest/command.ts';
import { fail, ok } from '../../src/support/result.ts';
import { kernelCommandLine, type Runner } from './runner.ts';

const program = 'qemu-system-x86_64';

/**
 * QEMU's translator. The processor is its default, which is also what suits it best: the kernel needs no page-table
 * isolation there, and no vector instructions wider than ours are offered. Nothing that has to be probed is plugged in.
 */
export const qemuTcg: Runner = {
  name: 'qemu-tcg',
  machine: true,
  prepare: async () => {
    const shown = await runCommand([program, '--version'], '/');
    if (!shown.ok) return fail('unavailable', `${program} did not start (${shown.message}); install qemu-system-x86`);
    return ok(Buffer.from(shown.stdout).toString('utf8').split('\n', 1)[0] ?? '');
  },
  command: (image) => ({
    program,
    args: [
      ['-accel', 'tcg', '-m', `${image.memoryMb}`, '-smp', '1'],
      ['-no-user-config', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
      ['-kernel', image.kernel, '-initrd', image.initrd, '-append', kernelCommandLine],
    ].flat(),
  }),
};
