import { findVm, removeVm } from '../../host/node/vms/registry.ts';
import { stopVm } from '../../host/node/vms/stop-vm.ts';
import { type CommandDescription, readCommandLine } from '../command-line.ts';
import { forEachVm } from '../each-vm.ts';

const description: CommandDescription = {
  command: 'corbel rm',
  operands: '[options] NAME...',
  count: { min: 1, max: Number.POSITIVE_INFINITY },
  help: `Removes virtual machines that have ended: their logs, and the disks that were
made for them alone. Prints the name of each that is gone.`,
  rows: [{ name: 'force', help: 'end one that runs, without asking the guest' }],
};

export async function rmCommand(args: readonly string[]): Promise<number> {
  const line = readCommandLine(description, args);
  if (typeof line === 'number') return line;
  return forEachVm(line.operands, async (name) => {
    const vm = findVm(name);
    if (!vm.ok) return vm;
    if (line.values.has('force')) {
      const stopped = await stopVm(vm.value, { timeoutMs: 0 });
      if (!stopped.ok) return stopped;
    }
    return removeVm(name);
  });
}
