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

const lookMs = 200;
const pieceBytes = 64 << 10;

export async function readConsoleLog({ stateFolder, isOver, write }: LogRequest): Promise<void> {
  const path = consoleLogFile(stateFolder);
  // Opened first: if it is moved aside now, the other name leads to the same file.
  let file = open(path);
  const previous = open(previousLogFile(path));
  if (previous !== undefined && (file === undefined || !same(previous, file))) await readOn(previous, write);
  if (previous !== undefined) closeSync(previous);
  for (;;) {
    // Asked before the reading: what comes in between is read in the next round.
    const over = isOver();
    if (file !== undefined && !(await readOn(file, write))) break;
    const next = movedAside(path, file);
    if (next === undefined) {
      if (over) break;
      await delay(lookMs);
      continue;
    }
    if (file !== undefined) {
      // Its last bytes may have come before it was moved.
      await readOn(file, write);
      closeSync(file);
    }
    file = next;
  }
  if (file !== undefined) closeSync(file);
}

/** The file that has taken the place of `file`, if one has. */
function movedAside(path: string, file: number | undefined): number | undefined {
  const next = open(path);
  if (next === undefined) return undefined;
  if (file === undefined || !same(next, file)) return next;
  closeSync(next);
  return undefined;
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
