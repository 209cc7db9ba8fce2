/** Guests that want a processor all the time, and what their processes have of this host's. Linux alone: it reads /proc. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Ended, startProgram } from '../../src/cli/testing/corbel-process.ts';
import { bareMetal, out } from '../../src/machine/testing/guest.ts';
import { processorSeconds } from './processor-time.ts';

const entry = fileURLToPath(new URL('../../src/cli/corbel.ts', import.meta.url));
const com1 = 0x3f8;

export interface BusyGuest {
  /** Processor time of its process so far, in seconds. */
  usedSeconds(): number;
  /** Ends it. */
  end(): Promise<Ended>;
}

/** Starts a guest that says a letter and then jumps to itself; resolves when it does. @param before a program that starts it */
export async function startBusyGuest(
  folder: string,
  options: readonly string[],
  before: readonly string[] = [],
): Promise<BusyGuest> {
  const kernel = join(folder, 'busy');
  writeFileSync(kernel, bareMetal([out(com1, 'b'.charCodeAt(0)), [0xeb, 0xfe]]));
  const command = [...before, process.execPath, '--disable-warning=ExperimentalWarning', entry, 'run'];
  const machine = ['--kernel', kernel, '--memory', '16M', '--stats', '--json', '--timeout', '600'];
  const { child, ended } = startProgram([...command, ...machine, ...options], 'open');
  await Promise.race([new Promise((resolve) => child.stdout?.once('data', resolve)), failsWith(ended)]);
  return {
    usedSeconds: () => processorSeconds(child.pid as number),
    end: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function failsWith(ended: Promise<Ended>): Promise<never> {
  const { status, stderr } = await ended;
  throw new Error(`the guest ended with status ${status}: ${stderr}`);
}

/** @returns the cores that each has used on the average */
export async function usedCores(guests: readonly BusyGuest[], seconds: number): Promise<number[]> {
  const before = guests.map((guest) => guest.usedSeconds());
  const startMs = performance.now();
  await delay(seconds * 1000);
  const used = guests.map((guest, n) => guest.usedSeconds() - (before[n] as number));
  const elapsed = (performance.now() - startMs) / 1000;
  return used.map((each) => each / elapsed);
}
