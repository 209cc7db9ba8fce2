/** Reads a console's log from its beginning, and on while it grows and is given up for a new one. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { consoleLogFile, previousLogFile } from './console-log.ts';

export interface LogRequest {
  readonly stateFolder: string;
  /** Whether the log is at its end when all has been read; asked again and again. */
  readonly isOver: () => boolean;
  /** @returns whether to go on, when that has been taken */
  readonly write: (bytes: Uint8Array) => Promise<boolean>;
}

const lookMs = 100;
const pieceBytes = 64 << 10;

/** Of a log that begins anew twice between two looks, a part may be missed: it has been deleted. */
export async function readConsoleLog({ stateFolder, isOver, write }: LogRequest): Promise<void> {
  const path = consoleLogFile(stateFolder);
  let file: number | undefined;
  for (let wanted = true; wanted; ) {
    // Asked before the reading: what comes in between is read in the next round.
    const over = isOver();
    const next = successors(path, file);
    for (const successor of next) {
      // The last bytes of a file may have come before it was moved aside.
      if (file !== undefined) {
        wanted &&= await readOn(file, write);
        closeSync(file);
      }
      file = successor;
    }
    if (file !== undefined) wanted &&= await readOn(file, write);
    if (next.length > 0) continue;
    if (over) break;
    await delay(lookMs);
  }
  if (file !== undefined) closeSync(file);
}

/** The files that have been begun since `file` was, the oldest first. */
function successors(path: string, file: number | undefined): number[] {
  // In this order: if the current one is moved aside now, the other name leads to the same file.
  const current = open(path);
  const previous = open(previousLogFile(path));
  const known = file === undefined ? [] : [file];
  const isNew = (candidate: number, others: readonly number[]): boolean =>
    !others.some((other) => same(candidate, other));
  const found: number[] = [];
  const currentIsNew = current !== undefined && isNew(current, known);
  if (previous !== undefined) {
    const others = current === undefined ? known : [...known, current];
    if ((currentIsNew || current === undefined) && isNew(previous, others)) found.push(previous);
    else closeSync(previous);
  }
  if (currentIsNew) found.push(current);
  else if (current !== undefined) closeSync(current);
  return found;
}

function open(path: string): number | undefined {
  try {
    return statSync(path).isFile() ? openSync(path, 'r') : undefined;
  } catch {
    return undefined;
  }
}

function same(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one), fstatSync(other)];
  return a.ino === b.ino && a.dev === b.dev;
}

/** @returns false when nobody wants more */
async function readOn(file: number, write: (bytes: Uint8Array) => Promise<boolean>): Promise<boolean> {
  for (;;) {
    const bytes = new Uint8Array(pieceBytes);
    const count = readSync(file, bytes);
    if (count === 0) return true;
    if (!(await write(bytes.subarray(0, count)))) return false;
  }
}
