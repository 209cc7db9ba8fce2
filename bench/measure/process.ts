/** What a process costs its host, read from /proc (Linux: proc(5)). */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** /proc counts processor time in USER_HZ, which is 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;
const kibibytesPerMegabyte = 1e6 / 1024;

/** User and system time of all threads, in seconds, from the text of /proc/PID/stat. */
export function processorSeconds(stat: string): number {
  // The command's name may hold spaces and parentheses; what follows its last parenthesis starts with field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** How much of one processor the process takes over `seconds`, in percent. */
export async function processorLoad(pid: number, seconds: number): Promise<number> {
  const used = async (): Promise<number> => processorSeconds(await readFile(`/proc/${pid}/stat`, 'utf8'));
  const [startMs, before] = [performance.now(), await used()];
  await delay(seconds * 1000);
  return (((await used()) - before) / ((performance.now() - startMs) / 1000)) * 100;
}

/**
 * Resident memory without the guest's, in MB, from the text of /proc/PID/smaps. The guest's memory is the smallest
 * writable mapping that has room for it; undefined when there is none yet.
 */
export function memoryBesideGuest(smaps: string, guestBytes: number): number | undefined {
  let totalKb = 0;
  let guest: { bytes: number; residentKb: number } | undefined;
  let mapping = { bytes: 0, residentKb: 0 };
  for (const line of smaps.split('\n')) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) (.w)/.exec(line);
    if (header !== null)
      mapping = {
        bytes: Number.parseInt(header[2] as string, 16) - Number.parseInt(header[1] as string, 16),
        residentKb: 0,
      };
    else if (/^[0-9a-f]+-/.test(line)) mapping = { bytes: 0, residentKb: 0 };
    const resident = /^Rss: +([0-9]+) kB$/.exec(line);
    if (resident === null) continue;
    mapping.residentKb = Number(resident[1]);
    totalKb += mapping.residentKb;
    if (mapping.bytes >= guestBytes && mapping.bytes < (guest?.bytes ?? Number.POSITIVE_INFINITY)) guest = mapping;
  }
  return guest === undefined ? undefined : (totalKb - guest.residentKb) / kibibytesPerMegabyte;
}

export async function monitorMemory(pid: number, guestBytes: number): Promise<number | undefined> {
  return memoryBesideGuest(await readFile(`/proc/${pid}/smaps`, 'utf8'), guestBytes);
}
