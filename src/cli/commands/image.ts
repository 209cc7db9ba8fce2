import { exitStatus } from '../exit-status.ts';
import { say } from '../messages.ts';
import { checkCommand } from './image/check.ts';
import { type CommandOutput, type ImageCommand, runImageCommand } from './image/command.ts';
import { commitCommand } from './image/commit.ts';
import { convertCommand } from './image/convert.ts';
import { createCommand } from './image/create.ts';
import { infoCommand } from './image/info.ts';
import { rebaseCommand } from './image/rebase.ts';
import { resizeCommand } from './image/resize.ts';
import { snapshotCommand } from './image/snapshot.ts';
import { imageBuildCommand } from './image-build.ts';

const commands: readonly ImageCommand[] = [
  createCommand,
  infoCommand,
  convertCommand,
  checkCommand,
  resizeCommand,
  snapshotCommand,
  rebaseCommand,
  commitCommand,
];

const help = `Usage: corbel image COMMAND [options]

Makes and changes disk images: raw ones, and qcow2, as QEMU has it.

Commands:
  create    make an image
  info      tell what an image is
  convert   copy a disk into a new image of another format
  check     look for errors in an image, and mend them
  resize    make a disk larger or smaller
  snapshot  list, take, go back to and delete snapshots within an image
  rebase    give an image another backing file
  commit    write an image's own data into its backing file
  build     make an image of Debian that boots

"corbel image COMMAND --help" lists the options of a command.
`;

const standardOutput: CommandOutput = { print: (text) => void process.stdout.write(text), say };

export async function imageCommand(args: readonly string[], output = standardOutput): Promise<number> {
  const [name, ...rest] = args;
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) return runImageCommand(command, rest, output);
  if (name === 'build') return imageBuildCommand(rest);
  if (name === '--help' || name === '-h') {
    output.print(help);
    return exitStatus.ok;
  }
  const names = [...commands.map((candidate) => candidate.name), 'build'].join(', ');
  output.say(
    name === undefined
      ? `"corbel image" needs to know what: ${names}.`
      : `there is no command image ${name}; there are ${names}.`,
  );
  return exitStatus.usage;
}
