import { exitStatus } from './exit-status.ts';
import { say } from './messages.ts';
import { describeOptions, type OptionRow, type ParsedOptions, parseOptions } from './options.ts';

export interface CommandDescription {
  /** How the user calls it: `corbel ps`. */
  readonly command: string;
  /** What follows in the first line of the help. */
  readonly operands: string;
  /** How many there have to be. */
  readonly count: { readonly min: number; readonly max: number };
  /** The paragraph above the options. */
  readonly help: string;
  readonly rows: readonly OptionRow[];
}

/** Reads the command line of a command, all of whose operands are names. @returns an exit status when that ends it */
export function readCommandLine(description: CommandDescription, args: readonly string[]): ParsedOptions | number {
  const { command, operands, count, help } = description;
  const rows = [...description.rows, { name: 'help', help: 'print this' }];
  const parsed = parseOptions(rows, args, command);
  if (!parsed.ok) return refuseUsage(parsed.error.message);
  if (parsed.value.values.has('help')) {
    process.stdout.write(`Usage: ${command} ${operands}\n\n${help}\n\n${describeOptions(rows)}\n`);
    return exitStatus.ok;
  }
  const given = parsed.value.operands.length;
  if (given < count.min) return refuseUsage(`"${command}" needs a name; "${command} --help" tells more.`);
  if (given > count.max) return refuseUsage(`"${command}" takes no argument "${parsed.value.operands[count.max]}".`);
  return parsed.value;
}

function refuseUsage(message: string): number {
  say(message);
  return exitStatus.usage;
}
