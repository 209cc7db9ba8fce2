import type { CommandDescription } from '../command-line.ts';
import { tellEachVm } from '../tell-each-vm.ts';

const description: CommandDescription = {
  command: 'corbel resume',
  operands: 'NAME...',
  count: { min: 1, max: Number.POSITIVE_INFINITY },
  help: 'Lets virtual machines that were paused go on. Prints the name of each.',
  rows: [],
};

export function resumeCommand(args: readonly string[]): Promise<number> {
  return tellEachVm(description, 'resume', args);
}
