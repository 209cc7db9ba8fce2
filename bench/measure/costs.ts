/** What a machine costs its host beside the guest: one boot of the plain userland each, not timed but watched. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Image } from '../guest/image.ts';
import type { Ledger, Measure } from '../report/report.ts';
import { Guest } from '../runners/guest.ts';
import type { Runner } from '../runners/runner.ts';
import { monitorMemory, processorLoad } from './process.ts';

const memoryPeak: Measure = {
  name: 'memory-boot',
  title: 'memory beside the guest, largest during boot',
  unit: 'MB',
  better: 'less',
};
const memoryIdle: Measure = {
  name: 'memory-idle',
  title: 'memory beside the guest, at the shell',
  unit: 'MB',
  better: 'less',
};
const idle: Measure = { name: 'idle', title: 'load of an idle guest on one host core', unit: '%', better: 'less' };

const settleMs = 3000;
const idleSeconds = 10;
const memoryPeriodMs = 200;

export async function measureCosts(
  machines: readonly Runner[],
  image: Image,
  ledger: Ledger,
  note: (text: string) => void,
): Promise<void> {
  for (const runner of machines) {
    note(`memory and idle load: ${runner.name}`);
    const guest = new Guest(runner.command(image));
    const up = guest.boot(true);
    const peak = await largestMemory(guest, image, up);
    const ready = await up;
    if (!ready.ok) {
      ledger.gap('memory and idle load', runner.name, ready.error.message);
      await guest.kill();
      continue;
    }
    await delay(settleMs);
    const last = await memory(guest, image);
    if (peak === undefined || last === undefined) {
      ledger.gap('memory', runner.name, 'no mapping of its process has the size of the guest memory');
    } else {
      ledger.add(memoryPeak, runner.name, peak);
      ledger.add(memoryIdle, runner.name, last);
    }
    const load = await processorLoad(guest.pid, idleSeconds).catch(() => undefined);
    if (load === undefined) ledger.gap('idle load', runner.name, 'its process has ended');
    else ledger.add(idle, runner.name, load);
    await guest.off();
  }
}

/** Undefined also for a process that has ended. */
function memory(guest: Guest, image: Image): Promise<number | undefined> {
  return monitorMemory(guest.pid, image.memoryMb * 2 ** 20).catch(() => undefined);
}

/** The largest of the samples until `up` settles. */
async function largestMemory(guest: Guest, image: Image, up: Promise<unknown>): Promise<number | undefined> {
  let booting = true;
  void up.then(() => {
    booting = false;
  });
  let largest: number | undefined;
  while (booting) {
    const now = await memory(guest, image);
    if (now !== undefined) largest = Math.max(largest ?? 0, now);
    await delay(memoryPeriodMs);
  }
  return largest;
}
