/**
 * Priorities of this process's threads. On Linux each has its own; elsewhere, and where it is refused, they stay as they are.
 *
 * Processors that take all of the host's cores share them with what compiles their code, and each waits for the other as long:
 * a guest that boots on two processors of two cores, for an eighth of its time. Code that comes a little later costs less.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

/** In steps of nice(2): a third of the time of one that it competes with. What waits for a compiler's lock does not wait long. */
const steps = 5;
/** Node's name for V8's. */
const compiler = 'node-V8Worker';

function lower(thread: number): void {
  try {
    setPriority(thread, Math.min(constants.priority.PRIORITY_LOW, getPriority() + steps));
  } catch {
    // It has ended, or the host minds.
  }
}

/** Those that V8 has compile and collect garbage, besides the threads that want it. */
export function lowerCompilers(): void {
  for (const thread of threads()) if (nameOf(thread) === compiler) lower(Number(thread));
}

/** The thread that calls. */
export function lowerThisThread(): void {
  try {
    lower(Number(basename(readlinkSync('/proc/thread-self'))));
  } catch {
    // Not Linux.
  }
}

function threads(): string[] {
  try {
    return readdirSync('/proc/self/task');
  } catch {
    return [];
  }
}

function nameOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').trimEnd();
  } catch {
    return '';
  }
}
