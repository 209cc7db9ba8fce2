/** The machines that Debian is measured on. They have the same devices: a disk, a network card, entropy, a serial line. */
import type { DebianImage } from '../../src/host/node/debian/image-parts.ts';
import type { Result } from '../../src/support/result.ts';
import { corbelProgram, prepareCorbel } from './corbel.ts';
import { prepareQemu, qemuProgram } from './qemu.ts';
import type { Command } from './runner.ts';

/** A machine to be started. */
export interface DebianMachine {
  readonly image: DebianImage;
  /** The file with its disk, an overlay of the image's. */
  readonly disk: string;
  readonly memoryMb: number;
  readonly processors: number;
  /** The host's port that is to lead to its SSH server. */
  readonly sshPort: number;
}

export interface DebianRunner {
  readonly name: string;
  /** @returns what the report says about it, or why it cannot run here */
  prepare(): Promise<Result<string>>;
  command(machine: DebianMachine): Command;
}

/** The host as its guests know it, in Corbel's network and in QEMU's. */
export const hostAddress = '10.0.2.2';

const kernelArguments = ({ image }: DebianMachine): string[] => [
  ...['--kernel', image.kernel, '--initrd', image.initrd],
  ...['--append', image.commandLine],
];

const forward = ({ sshPort }: DebianMachine): string => `hostfwd=tcp:127.0.0.1:${sshPort}-:22`;

/** Corbel as it is when nothing is chosen. */
const corbel: DebianRunner = {
  name: 'corbel',
  prepare: prepareCorbel,
  command: (machine) => {
    const { program, args } = corbelProgram();
    const board = ['--memory', `${machine.memoryMb}M`, '--cpus', `${machine.processors}`];
    const devices = ['--disk', machine.disk, '--net', `user,loopback=on,${forward(machine)}`];
    return { program, args: [...args, 'run', ...board, ...kernelArguments(machine), ...devices] };
  },
};

/** QEMU's translator with a thread for each processor, and the processor model that it has by default. */
const qemuTcg: DebianRunner = {
  name: 'qemu-tcg',
  prepare: prepareQemu,
  command: (machine) => ({
    program: qemuProgram,
    args: [
      ['-accel', machine.processors === 1 ? 'tcg' : 'tcg,thread=multi'],
      ['-m', `${machine.memoryMb}`, '-smp', `${machine.processors}`],
      ['-no-user-config', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
      kernelArguments(machine).map((word) => word.replace(/^--(kernel|initrd|append)$/, '-$1')),
      ['-drive', `if=virtio,format=qcow2,file=${machine.disk}`],
      ['-nic', `user,model=virtio-net-pci,${forward(machine)}`, '-device', 'virtio-rng-pci'],
    ].flat(),
  }),
};

export const debianRunners: readonly DebianRunner[] = [corbel, qemuTcg];
