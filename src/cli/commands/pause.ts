import type { CommandDescription } from '../command-line.ts';
import { tellEachVm } from '../tell-each-vm.ts';

const description: CommandDescription = {
  command: 'corbel pause',
  operands: 'NAME...',
  count: { min: 1, max: Number.POSITIVE_INFINITY },
  help: `Lets virtual machines stand still, until "corbel resume". Time in the guest
stands still, too; its real-time clock alone goes on. Prints the name of each.`,
  rows: [],
};

export function pauseCommand(args: readonly string[]): Promise<number> {
  return tellEachVm(description, 'pause', args);
}
