import { existsSync, readFileSync } from 'node:fs';
import { readConsoleLog } from '../../host/node/vms/console-log-reader.ts';
import { findVm, hasEnded, messagesFile, type VmEntry } from '../../host/node/vms/registry.ts';
import { type CommandDescription, readCommandLine } from '../command-line.ts';
import { refuse } from '../conclusion.ts';
import { exitStatus } from '../exit-status.ts';

const description: CommandDescription = {
  command: 'corbel logs',
  operands: '[options] NAME',
  count: { min: 1, max: 1 },
  help: `Prints what the console of a virtual machine has shown; of one that has shown
much, the last megabytes. What its process had to say goes to standard error.`,
  rows: [{ name: 'follow', help: 'go on printing until the virtual machine ends' }],
};

export async function logsCommand(args: readonly string[]): Promise<number> {
  const line = readCommandLine(description, args);
  if (typeof line === 'number') return line;
  const vm = findVm(line.operands[0] as string);
  if (!vm.ok) return refuse(vm.error);
  let closed = false;
  process.stdout.once('error', () => {
    closed = true;
  });
  await readConsoleLog({
    stateFolder: vm.value.stateFolder,
    isOver: () => closed || !line.values.has('follow') || hasEnded(vm.value),
    write: (bytes) =>
      new Promise((resolve) => {
        process.stdout.write(bytes, (error) => resolve(!error));
      }),
  });
  process.stderr.write(messages(vm.value));
  return exitStatus.ok;
}

/** They are few: a process says how its guest ended. */
function messages({ stateFolder }: VmEntry): Uint8Array {
  const file = messagesFile(stateFolder);
  return existsSync(file) ? readFileSync(file) : new Uint8Array(0);
}
