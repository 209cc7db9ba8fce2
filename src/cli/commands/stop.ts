import { findVm } from '../../host/node/vms/registry.ts';
import { stopVm } from '../../host/node/vms/stop-vm.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { type CommandDescription, readCommandLine } from '../command-line.ts';
import { refuse } from '../conclusion.ts';
import { forEachVm } from '../each-vm.ts';
import { say } from '../messages.ts';

const description: CommandDescription = {
  command: 'corbel stop',
  operands: '[options] NAME...',
  count: { min: 1, max: Number.POSITIVE_INFINITY },
  help: `Ends virtual machines. The guest's power button is pressed; a guest that has not
powered off in time is ended by force, as if the power had failed. Prints the
name of each that does not run any more.`,
  rows: [
    { name: 'timeout', value: 'SECONDS', help: 'how long the guest may take (default 10)' },
    { name: 'force', help: 'do not ask the guest' },
  ],
};

const longestTimeoutSeconds = 86_400;

export async function stopCommand(args: readonly string[]): Promise<number> {
  const line = readCommandLine(description, args);
  if (typeof line === 'number') return line;
  const timeoutMs = line.values.has('force') ? ok(0) : parseTimeout(line.values.get('timeout')?.at(-1) ?? '10');
  if (!timeoutMs.ok) return refuse(timeoutMs.error);
  return forEachVm(line.operands, async (name) => {
    const vm = findVm(name);
    if (!vm.ok) return vm;
    const stopped = await stopVm(vm.value, { timeoutMs: timeoutMs.value });
    if (!stopped.ok) return stopped;
    if (stopped.value.ignored)
      say(`${name} had not powered off after ${timeoutMs.value / 1000} s; it was ended by force.`);
    return ok(undefined);
  });
}

function parseTimeout(text: string): Result<number> {
  const seconds = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  if (seconds <= longestTimeoutSeconds) return ok(seconds * 1000);
  return fail('usage', `--timeout takes a number of seconds up to ${longestTimeoutSeconds}, not "${text}".`);
}
