#!/usr/bin/env -S node --disable-warning=ExperimentalWarning --v8-pool-size=0
import { guestRun, loadProgram } from '../host/node/compiled-program.ts';
import { keepCompiledSources, restartForGuests } from '../host/node/engine-options.ts';
import { GuestThreads } from '../host/node/guest-threads.ts';
import { detachedCommand } from './detached-command.ts';

const [command, ...args] = process.argv.slice(2);
// Before anything large is loaded, which would be for nothing.
if (command === 'run') restartForGuests();
keepCompiledSources();

const threads = new GuestThreads();
if (runsGuest()) threads.startAhead();
void begin();

async function begin(): Promise<void> {
  const run = runsGuest() ? guestRun : { kind: 'command', leastMs: 0 };
  const main = await loadProgram<typeof import('./main.ts')>(new URL('./main.ts', import.meta.url), run);
  await main.exports.runProcess(threads, main.keep);
}

/** Whether this process is going to run one, most likely. */
function runsGuest(): boolean {
  if (command === 'run') return !args.some((arg) => arg === '--help' || arg === '-h' || arg === '--detach');
  return command === detachedCommand;
}
