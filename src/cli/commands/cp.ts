import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type CopyNotices, copyFromGuest, copyToGuest } from '../../host/node/agent/guest-copy.ts';
import { type Failure, fail, ok, type Result } from '../../support/result.ts';
import { exitStatus } from '../exit-status.ts';
import { connectToAgent } from '../guest-connection.ts';
import { say } from '../messages.ts';
import { describeOptions, type OptionRow, parseOptions } from '../options.ts';

const rows: readonly OptionRow[] = [
  { name: 'user', value: 'USER', help: 'who reads or writes in the guest: a name or a\nnumber (default root)' },
  { name: 'help', help: 'print this' },
];

const help = `Usage: corbel cp [options] NAME:PATH TARGET
       corbel cp [options] SOURCE NAME:PATH

Copies a file, or a folder with all in it, between this host and the guest of
the virtual machine NAME, whose image has Corbel's agent. A target that is a
folder gets the copy put into it; otherwise the copy takes the target's name.
Paths in the guest start at the user's home. A name on this host that has a
colon needs a slash before it, like ./a:b.

${describeOptions(rows)}

Exit status: 0 if all was copied, 64 if the command line is wrong, 65 if
something cannot be reached, read or written.
`;

interface GuestPlace {
  readonly name: string;
  readonly path: string;
}

type Copy = (user: string | undefined, notices: CopyNotices) => Promise<Result<void>>;

export async function cpCommand(args: readonly string[]): Promise<number> {
  const options = parseOptions(rows, args, 'corbel cp');
  if (!options.ok) return refuse(options.error);
  if (options.value.values.has('help')) {
    process.stdout.write(help);
    return exitStatus.ok;
  }
  const copy = copyOf(options.value.operands);
  if (!copy.ok) return refuse(copy.error);
  let complete = true;
  const progress = new Progress();
  const done = await copy.value(options.value.values.get('user')?.at(-1), {
    progress: (bytes) => progress.show(bytes),
    skipped: (what) => {
      complete = false;
      progress.clear();
      say(`left out ${what}.`);
    },
  });
  progress.clear();
  if (!done.ok) return refuse(done.error);
  return complete ? exitStatus.ok : exitStatus.badInput;
}

function copyOf(operands: readonly string[]): Result<Copy> {
  const [source, target] = operands;
  if (source === undefined || target === undefined || operands.length > 2) {
    return fail('usage', 'corbel cp takes two names, what is copied and where to.');
  }
  const from = guestPlace(source);
  const to = guestPlace(target);
  if (from === undefined && to !== undefined) return ok((user, notices) => put(source, to, user, notices));
  if (from !== undefined && to === undefined) return ok((user, notices) => get(from, target, user, notices));
  return fail('usage', 'one of the two is in a guest, NAME:PATH, and the other on this host.');
}

function guestPlace(text: string): GuestPlace | undefined {
  const [, name, path] = /^([^/:]+):(.*)$/s.exec(text) ?? [];
  return name === undefined || path === undefined ? undefined : { name, path: path === '' ? '.' : path };
}

async function put(
  hostPath: string,
  to: GuestPlace,
  user: string | undefined,
  notices: CopyNotices,
): Promise<Result<void>> {
  if (statSync(hostPath, { throwIfNoEntry: false }) === undefined) return fail('input', `there is no ${hostPath}.`);
  const stream = await connectToAgent(to.name);
  return stream.ok ? copyToGuest(stream.value, { hostPath, guestPath: to.path, user }, notices) : stream;
}

async function get(
  from: GuestPlace,
  target: string,
  user: string | undefined,
  notices: CopyNotices,
): Promise<Result<void>> {
  let hostPath = target;
  if (statSync(target, { throwIfNoEntry: false })?.isDirectory() === true) {
    const name = basename(from.path);
    if (['', '.', '..'].includes(name))
      return fail('usage', `${from.path} has no name; give the copy one in ${target}.`);
    hostPath = join(target, name);
  }
  const stream = await connectToAgent(from.name);
  return stream.ok ? copyFromGuest(stream.value, { guestPath: from.path, hostPath, user }, notices) : stream;
}

const progressMs = 200;

/** How much there is so far, for who waits at a terminal. */
class Progress {
  #shown = 0;
  #visible = false;

  show(bytes: number): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shown < progressMs) return;
    this.#shown = now;
    this.#visible = true;
    process.stderr.write(`\r${(bytes / 1e6).toFixed(1)} MB`);
  }

  clear(): void {
    if (this.#visible) process.stderr.write('\r\x1b[K');
    this.#visible = false;
  }
}

function refuse(failure: Failure): number {
  say(failure.message);
  return failure.kind === 'usage' ? exitStatus.usage : exitStatus.badInput;
}
