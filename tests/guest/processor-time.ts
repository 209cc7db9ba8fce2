import { readFileSync } from 'node:fs';

/** Of the kernel's interface to programs, whatever its own ticks are. time(7) */
const ticksPerSecond = 100;

/** User and system time of a process so far, in seconds. proc(5), /proc/pid/stat, fields 14 and 15. */
export function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // A process's name may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
