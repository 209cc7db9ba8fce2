import { askControl } from '../host/node/control/control-client.ts';
import { findVm, vmSockets } from '../host/node/vms/registry.ts';
import { fail, ok, type Result } from '../support/result.ts';
import { type CommandDescription, readCommandLine } from './command-line.ts';
import { forEachVm } from './each-vm.ts';

/** The process itself waits 5 s for the machine. */
const answerMs = 7000;

/** A command that has each of its operands, names of virtual machines, do something. @returns the exit status */
export async function tellEachVm(
  description: CommandDescription,
  command: 'pause' | 'resume',
  args: readonly string[],
): Promise<number> {
  const line = readCommandLine(description, args);
  return typeof line === 'number' ? line : forEachVm(line.operands, (name) => tell(name, command));
}

async function tell(name: string, command: 'pause' | 'resume'): Promise<Result<void>> {
  const vm = findVm(name);
  if (!vm.ok) return vm;
  const sockets = vmSockets(vm.value);
  if (sockets === undefined) return fail('input', `${name} does not run.`);
  const answer = await askControl<'pause' | 'resume'>(sockets.control, { command }, answerMs);
  return answer.ok ? ok(undefined) : fail('input', `${name} cannot ${command}: ${answer.error.message}`);
}
