/** The command line: finds the command, and makes every end a status and at most a sentence. */
import { readFileSync } from 'node:fs';
import type { GuestThreads } from '../host/node/guest-threads.ts';
import { balloonCommand } from './commands/balloon.ts';
import { consoleCommand } from './commands/console.ts';
import { cpCommand } from './commands/cp.ts';
import { execCommand } from './commands/exec.ts';
import { hostCheckCommand } from './commands/host-check.ts';
import { imageCommand } from './commands/image.ts';
import { logsCommand } from './commands/logs.ts';
import { pauseCommand } from './commands/pause.ts';
import { psCommand } from './commands/ps.ts';
import { resumeCommand } from './commands/resume.ts';
import { rmCommand } from './commands/rm.ts';
import { runCommand, runDetachedCommand } from './commands/run.ts';
import { stopCommand } from './commands/stop.ts';
import { detachedCommand } from './detached-command.ts';
import { exitStatus } from './exit-status.ts';
import { say } from './messages.ts';

const help = `Usage: corbel COMMAND [options]

Corbel is a hypervisor: it runs x86 virtual machines.

Commands:
  run          run a virtual machine on this terminal, or without one
  ps           list the virtual machines that run
  exec         run a command in the guest of one that runs
  cp           copy files between this host and a guest
  console      attach to the console of one
  logs         print what the console of one has shown
  pause        let some stand still
  resume       let them go on
  balloon      show and change how much memory the guest of one has
  stop         end some
  rm           remove what is kept of some that have ended
  image        make, convert, check and change disk images
  host check   tell what this host can do for virtual machines

Options:
  --help       print this; after a command, print that command's options
  --version    print the version
  --json       with --version: print it as JSON

"corbel run" alone starts a Linux with a shell.
`;

/** @param threads those that guests run on */
async function main(args: readonly string[], threads: GuestThreads): Promise<number> {
  const [first, ...rest] = args;
  switch (first) {
    case 'run':
      return runCommand(rest, threads);
    case 'ps':
      return psCommand(rest);
    case 'console':
      return consoleCommand(rest);
    case 'logs':
      return logsCommand(rest);
    case 'pause':
      return pauseCommand(rest);
    case 'resume':
      return resumeCommand(rest);
    case 'balloon':
      return balloonCommand(rest);
    case 'stop':
      return stopCommand(rest);
    case 'rm':
      return rmCommand(rest);
    case detachedCommand:
      return runDetachedCommand(rest, threads);
    case 'image':
      return imageCommand(rest);
    case 'exec':
      return execCommand(rest);
    case 'cp':
      return cpCommand(rest);
    case 'host':
      if (rest[0] === 'check') return hostCheckCommand(rest.slice(1));
      say(rest[0] === undefined ? '"corbel host" needs to know what: corbel host check.' : unknown(`host ${rest[0]}`));
      return exitStatus.usage;
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(help);
      return exitStatus.ok;
    case '--version':
      return printVersion(rest);
    case undefined:
      process.stderr.write(help);
      return exitStatus.usage;
    default:
      say(unknown(first));
      return exitStatus.usage;
  }
}

function unknown(name: string): string {
  const kind = name.startsWith('-') ? 'option' : 'command';
  return `there is no ${kind} ${name}; "corbel --help" lists the commands.`;
}

function printVersion(args: readonly string[]): number {
  const wrong = args.find((arg) => arg !== '--json');
  if (wrong !== undefined) {
    say(unknown(wrong));
    return exitStatus.usage;
  }
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  const facts = { name: 'corbel', version, node: process.versions.node };
  process.stdout.write(args.length > 0 ? `${JSON.stringify(facts)}\n` : `corbel ${version}\n`);
  return exitStatus.ok;
}

/**
 * Runs `main` as the process: its status is the process's, once everything written has left.
 * @param threads those that guests run on; @param ending called when all is done
 */
export async function runProcess(threads: GuestThreads, ending: () => void): Promise<never> {
  // Who uses the streams hears of a closed pipe by itself; it must not become an exception.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const [major] = process.versions.node.split('.');
  let status: number = exitStatus.internal;
  if (Number(major) < 26) {
    say(`this is Node ${process.versions.node}, but corbel needs 26 or newer; "npm start" brings it along.`);
  } else {
    try {
      status = await main(process.argv.slice(2), threads);
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      say(`something went wrong that should not; this is a defect in corbel.\n${what}`);
    }
  }
  await Promise.all([process.stdout, process.stderr].map(drained));
  ending();
  process.exit(status);
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('error', () => resolve());
    stream.write('', () => resolve());
  });
}
