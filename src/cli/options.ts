/** A small reader of command lines, driven by the table that the help is printed from. */
import { fail, ok, type Result } from '../support/result.ts';

export interface OptionRow {
  readonly name: string;
  /** A letter that stands for it behind a single dash. */
  readonly short?: string;
  /** What the value is called in the help; none for a switch. */
  readonly value?: string;
  readonly help: string;
}

export interface ParsedOptions {
  /** The values of an option in the order given; an empty string for a switch. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
}

/** Reads `args`. @param command how the user called it, for the messages */
export function parseOptions(
  rows: readonly OptionRow[],
  args: readonly string[],
  command: string,
): Result<ParsedOptions> {
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  const hint = `"${command} --help" lists the options`;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--') {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      operands.push(arg);
      continue;
    }
    const { row, inline } = findOption(rows, arg);
    // A size to shrink by is no option.
    if (row === undefined && /^-[0-9]/.test(arg)) {
      operands.push(arg);
      continue;
    }
    if (row === undefined) return fail('usage', `there is no option ${arg.split('=', 1)[0]}; ${hint}.`);
    if (row.value === undefined && inline !== undefined) return fail('usage', `--${row.name} takes no value; ${hint}.`);
    const value = row.value === undefined ? '' : (inline ?? args[++i]);
    if (value === undefined) return fail('usage', `--${row.name} needs a value: --${row.name} ${row.value}.`);
    values.set(row.name, [...(values.get(row.name) ?? []), value]);
  }
  return ok({ values, operands });
}

/** The row that an argument means, and the value that it brings along: `--name=value`, `-nvalue`. */
function findOption(
  rows: readonly OptionRow[],
  arg: string,
): { readonly row: OptionRow | undefined; readonly inline: string | undefined } {
  const [, long, inline] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(arg === '-h' ? '--help' : arg) ?? [];
  if (long !== undefined) return { row: rows.find(({ name }) => name === long), inline };
  const row = rows.find(({ short }) => short !== undefined && short === arg[1]);
  const rest = arg.slice(2);
  // Letters of switches do not go together: "-qf" would be a misspelt word rather often.
  if (row?.value === undefined && rest !== '') return { row: undefined, inline: undefined };
  return { row, inline: rest === '' ? undefined : rest };
}

/** The lines that describe `rows`, aligned. */
export function describeOptions(rows: readonly OptionRow[]): string {
  const titles = rows.map(({ name, short, value }) => {
    const letter = short === undefined ? '' : `-${short}, `;
    return `  ${letter}--${name}${value === undefined ? '' : ` ${value}`}`;
  });
  const width = Math.max(...titles.map((title) => title.length)) + 2;
  return rows
    .map((row, i) => {
      const [first, ...more] = row.help.split('\n');
      const lines = [`${(titles[i] as string).padEnd(width)}${first}`, ...more.map((line) => ' '.repeat(width) + line)];
      return lines.join('\n');
    })
    .join('\n');
}
