import { platform } from 'node:os';
import { runCommand } from '../../src/host/node/guest/command.ts';
import { fail, ok } from '../../src/support/result.ts';
import type { Command, Runner } from './runner.ts';

/** Runs in a mount and process namespace of its own, so that nothing of it stays behind. $0 is the userland's folder. */
const script = `
b="$0/bin/busybox"
"$b" mount -o rbind /dev "$0/dev" &&
"$b" mount -t proc proc "$0/proc" &&
"$b" mount -t tmpfs tmpfs "$0/run" &&
"$b" chroot "$0" /bin/busybox --install -s /bin &&
exec "$b" chroot "$0" /bin/busybox env -i /bin/busybox sh /bench/serve
`;

function unshare(args: readonly string[]): Command {
  const root = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  return { program: 'unshare', args: [...root, '--mount', '--pid', '--fork', '--kill-child', ...args] };
}

/** The same programs on the host's own kernel and processor. */
export const native: Runner = {
  name: 'native',
  machine: false,
  prepare: async () => {
    if (platform() !== 'linux' || process.arch !== 'x64') {
      return fail('unavailable', 'the programs are for Linux on x86-64, and this host is another');
    }
    const { program, args } = unshare(['true']);
    const tried = await runCommand([program, ...args], '/');
    return tried.ok ? ok('the host') : fail('unavailable', `unshare refused namespaces: ${tried.message}`);
  },
  command: (image) => unshare(['sh', '-c', script, image.root]),
};
