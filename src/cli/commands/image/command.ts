/** What the subcommands of `corbel image` have in common. */
import type { Disk } from '../../../block/disk.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { type OpenedImage, openImage } from '../../../block/open-image.ts';
import { Qcow2Disk } from '../../../block/qcow2/qcow2-disk.ts';
import { type NodeImageHost, nodeImageHost } from '../../../host/node/disk/image-host.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { exitStatus } from '../../exit-status.ts';
import { say } from '../../messages.ts';
import { describeOptions, type OptionRow, type ParsedOptions, parseOptions } from '../../options.ts';

export interface ImageCommand {
  readonly name: string;
  /** What follows the name in the first line of the help. */
  readonly usage: string;
  readonly help: string;
  readonly rows: readonly OptionRow[];
  /** How many operands it takes. */
  readonly operands: readonly [least: number, most: number];
  /** @returns the exit status */
  run(call: ImageCall): Promise<Status>;
}

export type Status = Result<number, CommandFailure>;

export type CommandFailure = DiskFailure | { readonly kind: 'usage'; readonly message: string };

export interface ImageCall {
  readonly operands: readonly string[];
  readonly host: NodeImageHost;
  has(name: string): boolean;
  /** The last value of an option. */
  value(name: string): string | undefined;
  /** Every value of it. */
  all(name: string): readonly string[];
}

export const formatRow: OptionRow = {
  name: 'format',
  short: 'f',
  value: 'FORMAT',
  help: "the image's format (default: what it looks like)",
};
export const jsonRow: OptionRow = { name: 'json', help: 'print the result as JSON' };
export const quietRow: OptionRow = { name: 'quiet', short: 'q', help: 'print nothing but errors' };
const helpRow: OptionRow = { name: 'help', help: 'print this' };

/** Reads the arguments, runs the command, says what went wrong. @returns the exit status */
export async function runImageCommand(command: ImageCommand, args: readonly string[]): Promise<number> {
  const title = `corbel image ${command.name}`;
  const rows = [...command.rows, helpRow];
  const parsed = parseOptions(rows, args, title);
  if (!parsed.ok) return refuse(parsed.error.message, exitStatus.usage);
  const { values, operands } = parsed.value;
  if (values.has('help')) {
    process.stdout.write(`Usage: ${title} ${command.usage}\n\n${command.help}\n\n${describeOptions(rows)}\n`);
    return exitStatus.ok;
  }
  const [least, most] = command.operands;
  if (operands.length < least || operands.length > most) {
    const unwanted = operands[most];
    const what = unwanted === undefined ? 'something is missing' : `there is no place for "${unwanted}"`;
    return refuse(`${what}: ${title} ${command.usage}.`, exitStatus.usage);
  }
  const result = await command.run(callOf(parsed.value));
  if (result.ok) return result.value;
  return refuse(result.error.message, result.error.kind === 'usage' ? exitStatus.usage : exitStatus.badInput);
}

function callOf({ values, operands }: ParsedOptions): ImageCall {
  return {
    operands,
    host: nodeImageHost(),
    has: (name) => values.has(name),
    value: (name) => values.get(name)?.at(-1),
    all: (name) => values.get(name) ?? [],
  };
}

function refuse(message: string, status: number): number {
  say(message);
  return status;
}

export function usage(message: string): Result<never, CommandFailure> {
  return fail('usage', message);
}

/** Uses a disk, and closes it whatever comes of that. */
export async function withDisk<D extends Disk, T>(
  disk: D,
  use: (disk: D) => Promise<Result<T, CommandFailure>>,
): Promise<Result<T, CommandFailure>> {
  const used = await use(disk);
  const closed = await disk.close();
  return used.ok && !closed.ok ? closed : used;
}

/** Opens an image with what is below it, uses and closes it. */
export async function withImage<T>(
  { host }: ImageCall,
  name: string,
  { format, readOnly }: { readonly format: string | undefined; readonly readOnly: boolean },
  use: (opened: OpenedImage) => Promise<Result<T, CommandFailure>>,
): Promise<Result<T, CommandFailure>> {
  const opened = await openImage(host, name, { format, readOnly });
  return opened.ok ? withDisk(opened.value.disk, () => use(opened.value)) : opened;
}

/** The same for what qcow2 alone can do. @param doing what: "have snapshots" */
export async function withQcow2<T>(
  call: ImageCall,
  name: string,
  { readOnly, doing }: { readonly readOnly: boolean; readonly doing: string },
  use: (disk: Qcow2Disk) => Promise<Result<T, CommandFailure>>,
): Promise<Result<T, CommandFailure>> {
  return withImage(call, name, { format: call.value('format'), readOnly }, async ({ disk, format }) => {
    if (disk instanceof Qcow2Disk) return use(disk);
    return fail('unsupported', `${name} is of format ${format}: only qcow2 images can ${doing}.`);
  });
}

export const done: Status = ok(exitStatus.ok);
