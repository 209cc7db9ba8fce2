import type { Fact } from '../../host/node/facts/fact.ts';
import { gatherHostFacts } from '../../host/node/facts/host-facts.ts';
import { exitStatus } from '../exit-status.ts';
import { say } from '../messages.ts';
import { describeOptions, type OptionRow, parseOptions } from '../options.ts';

const rows: readonly OptionRow[] = [
  { name: 'json', help: 'print the facts as JSON' },
  { name: 'help', help: 'print this' },
];

const help = `Usage: corbel host check [options]

Tells what this host can do for virtual machines, and for each answer why.
Nothing on this list is required but Node 26 and the WebAssembly features.

${describeOptions(rows)}
`;

export async function hostCheckCommand(args: readonly string[]): Promise<number> {
  const options = parseOptions(rows, args, 'corbel host check');
  if (!options.ok) {
    say(options.error.message);
    return exitStatus.usage;
  }
  const { values, operands } = options.value;
  if (operands[0] !== undefined) {
    say(`"corbel host check" takes no argument "${operands[0]}".`);
    return exitStatus.usage;
  }
  if (values.has('help')) {
    process.stdout.write(help);
    return exitStatus.ok;
  }
  const facts = await gatherHostFacts();
  process.stdout.write(values.has('json') ? `${JSON.stringify({ facts }, null, 2)}\n` : table(facts));
  return exitStatus.ok;
}

function table(facts: readonly Fact[]): string {
  const width = Math.max(...facts.map((entry) => entry.title.length)) + 2;
  return facts.map(({ title, state, reason }) => `${title.padEnd(width)}${state.padEnd(9)}${reason}\n`).join('');
}
