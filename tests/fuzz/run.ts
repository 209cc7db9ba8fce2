/**
 * Runs random code and reports on it in one line of JSON: `node run.ts SIZE TRANSLATES SEED INSTRUCTIONS`. It is a
 * process of its own, so that what it measures of its memory is its own, and a hang ends with it.
 */
import { type CodeSize, HostileGuest, type Translates } from './hostile-guest.ts';

export interface FuzzReport {
  readonly instructions: number;
  readonly runs: number;
  /** Runs by what ended them. */
  readonly exits: Readonly<Record<string, number>>;
  /** Instructions beyond its budget of the run that overran most. */
  readonly overrun: number;
  /** Processor time of the run that took longest. */
  readonly longestRunMs: number;
  /** Resident memory after half of the instructions, and after all of them. */
  readonly halfwayMegabytes: number;
  readonly finalMegabytes: number;
}

const mebibyte = 2 ** 20;

const processorMs = (since?: NodeJS.CpuUsage): number => process.cpuUsage(since).user / 1000;
const residentMegabytes = (): number => Math.round(process.memoryUsage.rss() / mebibyte);

function fuzz(guest: HostileGuest, total: number): FuzzReport {
  const exits: Record<string, number> = {};
  let [instructions, runs, overrun, longestRunMs, halfwayMegabytes] = [0, 0, 0, 0, 0];
  while (instructions < total) {
    const before = process.cpuUsage();
    const run = guest.run();
    longestRunMs = Math.max(longestRunMs, Math.round(processorMs(before)));
    overrun = Math.max(overrun, run.instructions - run.budget);
    exits[run.exit] = (exits[run.exit] ?? 0) + 1;
    runs++;
    // A guest that does not get anywhere ends, too.
    instructions += Math.max(run.instructions, 1);
    if (halfwayMegabytes === 0 && instructions >= total / 2) halfwayMegabytes = residentMegabytes();
  }
  const finalMegabytes = residentMegabytes();
  return { instructions, runs, exits, overrun, longestRunMs, halfwayMegabytes, finalMegabytes };
}

const [size, translates, seed, total] = process.argv.slice(2);
const guest = new HostileGuest(Number(size) as CodeSize, translates as Translates, Number(seed));
try {
  process.stdout.write(`${JSON.stringify(fuzz(guest, Number(total)))}\n`);
} catch (error) {
  process.stderr.write(`${guest.describe()}\n`);
  throw error;
}
