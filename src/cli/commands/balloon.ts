import { askControl } from '../../host/node/control/control-client.ts';
import type { BalloonFacts } from '../../host/node/guest-balloon.ts';
import { findVm, vmSockets } from '../../host/node/vms/registry.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { type CommandDescription, readCommandLine } from '../command-line.ts';
import { refuse } from '../conclusion.ts';
import { exitStatus } from '../exit-status.ts';
import { formatMemorySize, parseBalloonSize } from '../memory-size.ts';
import { formatTable } from '../table.ts';

const description: CommandDescription = {
  command: 'corbel balloon',
  operands: '[options] NAME [SIZE]',
  count: { min: 1, max: 2 },
  help: `Shows how much memory the guest of a virtual machine has, how much it is to get
along with, and what it says of it; with SIZE, like 512M, it is to get along
with that from now on. The guest gives back what it can, and takes memory again
at once when SIZE grows. It needs a balloon: "corbel run --balloon SIZE".`,
  rows: [{ name: 'json', help: 'print the numbers as JSON, in bytes' }],
};

const answerMs = 7000;

export async function balloonCommand(args: readonly string[]): Promise<number> {
  const line = readCommandLine(description, args);
  if (typeof line === 'number') return line;
  const [name = '', text] = line.operands;
  const size = text === undefined ? ok(undefined) : parseBalloonSize('SIZE', text);
  if (!size.ok) return refuse(size.error);
  const facts = await balloonOf(name, size.value);
  if (!facts.ok) return refuse(facts.error);
  process.stdout.write(line.values.has('json') ? `${JSON.stringify(facts.value, null, 2)}\n` : table(facts.value));
  return exitStatus.ok;
}

/** @param targetBytes set first, if it is given */
async function balloonOf(name: string, targetBytes: number | undefined): Promise<Result<BalloonFacts>> {
  const vm = findVm(name);
  if (!vm.ok) return vm;
  const sockets = vmSockets(vm.value);
  if (sockets === undefined) return fail('input', `${name} does not run.`);
  const refused = ({ kind, message }: { kind: string; message: string }): Result<never> =>
    fail(kind === 'too-much' ? 'usage' : 'input', `${name}: ${message}`);
  if (targetBytes !== undefined) {
    const request = { command: 'setBalloon', targetBytes } as const;
    const set = await askControl<'setBalloon'>(sockets.control, request, answerMs);
    if (!set.ok) return refused(set.error);
  }
  const answer = await askControl<'balloon'>(sockets.control, { command: 'balloon' }, answerMs);
  return answer.ok ? ok(answer.value.balloon) : refused(answer.error);
}

function table({ memoryBytes, targetBytes, actualBytes, releasedBytes, statistics }: BalloonFacts): string {
  const { totalBytes, freeBytes, availableBytes, diskCacheBytes } = statistics;
  const rows: [string, number | undefined][] = [
    ['memory', memoryBytes],
    ['target', targetBytes],
    ['now', actualBytes],
    ['given back so far', releasedBytes],
    ['in the guest: total', totalBytes],
    ['free', freeBytes],
    ['available', availableBytes],
    ['disk cache', diskCacheBytes],
  ];
  const known = rows.filter((row): row is [string, number] => row[1] !== undefined);
  return formatTable(known.map(([what, bytes]) => [what, formatMemorySize(bytes)]));
}
