import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { askControl } from '../../host/node/control/control-client.ts';
import { attachConsole, type ConsoleEnd } from '../../host/node/vms/console-client.ts';
import { findVm, hasEnded, vmSockets } from '../../host/node/vms/registry.ts';
import { type CommandDescription, readCommandLine } from '../command-line.ts';
import { refuse } from '../conclusion.ts';
import { exitStatus } from '../exit-status.ts';
import { say } from '../messages.ts';

const description: CommandDescription = {
  command: 'corbel console',
  operands: 'NAME',
  count: { min: 1, max: 1 },
  help: `Attaches to the console of a virtual machine that runs, and shows the last of
what was on it. Keys go to the guest; Ctrl-] leaves, and the guest goes on.
Where standard input is not a terminal, its bytes are typed, and the console is
shown until the virtual machine ends. Several may look and type at once.`,
  rows: [],
};

const answerMs = 2000;
/** How long a process takes to write down its end after it has closed the console. */
const outcomeMs = 3000;

export async function consoleCommand(args: readonly string[]): Promise<number> {
  const line = readCommandLine(description, args);
  if (typeof line === 'number') return line;
  const name = line.operands[0] as string;
  const vm = findVm(name);
  if (!vm.ok) return refuse(vm.error);
  const sockets = vmSockets(vm.value);
  if (sockets === undefined) {
    say(`${name} does not run; "corbel logs ${name}" shows what its console has shown.`);
    return exitStatus.badInput;
  }
  const end = await attachConsole(sockets.console, {
    attached: () => {
      if (process.stdin.isTTY) say(`attached to ${name}; Ctrl-] leaves it running`);
    },
    resized: (rows, columns) => {
      if (rows > 0 && columns > 0) {
        void askControl<'resizeConsole'>(sockets.control, { command: 'resizeConsole', rows, columns }, answerMs);
      }
    },
  });
  if (end.kind === 'closed') {
    const deadline = performance.now() + outcomeMs;
    while (!hasEnded(vm.value) && performance.now() < deadline) await delay(50);
  }
  return conclude(name, end);
}

function conclude(name: string, end: ConsoleEnd): number {
  switch (end.kind) {
    case 'left':
      return exitStatus.ok;
    case 'closed': {
      const vm = findVm(name);
      const how = vm.ok ? (vm.value.outcome?.summary ?? 'its process has died') : 'it was removed';
      say(`${name} has ended: ${how}.`);
      return exitStatus.ok;
    }
    case 'signal':
      return exitStatus.signalBase + constants.signals[end.signal];
    case 'output-closed':
      return exitStatus.signalBase + constants.signals.SIGPIPE;
    case 'unreachable':
      say(`the console of ${name} cannot be reached (${end.message}).`);
      return exitStatus.badInput;
  }
}
