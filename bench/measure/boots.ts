/** Boots of the plain userland, alternating between the machines. */
import type { Image } from '../guest/image.ts';
import type { Ledger, Measure } from '../report/report.ts';
import { bootTimeoutMs, Guest } from '../runners/guest.ts';
import type { Runner } from '../runners/runner.ts';

const bootInit: Measure = { name: 'boot-init', title: 'power-on to init', unit: 's', better: 'less' };
const bootShell: Measure = { name: 'boot-shell', title: 'power-on to the shell', unit: 's', better: 'less' };
const bootSpeed: Measure = {
  name: 'boot-speed',
  title: 'guest instructions a second, boot to power-off',
  unit: 'M/s',
  better: 'more',
};
const bootCount: Measure = { name: 'boot-instructions', title: 'guest instructions, boot to power-off', unit: 'M' };

export async function measureBoots(
  machines: readonly Runner[],
  image: Image,
  runs: number,
  ledger: Ledger,
  note: (text: string) => void,
): Promise<void> {
  const failed = new Set<Runner>();
  for (let round = 1; round <= runs; round++) {
    for (const runner of machines) {
      if (failed.has(runner)) continue;
      note(`boot, round ${round} of ${runs}: ${runner.name}`);
      const reason = await boot(runner, image, ledger);
      if (reason === undefined) continue;
      failed.add(runner);
      ledger.gap(round === 1 ? 'boot' : `boot from round ${round} on`, runner.name, reason);
    }
  }
}

/** @returns what went wrong */
async function boot(runner: Runner, image: Image, ledger: Ledger): Promise<string | undefined> {
  const guest = new Guest(runner.command(image));
  const init = await guest.expect('init', bootTimeoutMs);
  const ready = init.ok ? await guest.expect('ready', bootTimeoutMs) : init;
  if (!init.ok || !ready.ok) {
    await guest.kill();
    return ready.ok ? undefined : ready.error.message;
  }
  ledger.add(bootInit, runner.name, (init.value.atMs - guest.startedMs) / 1000);
  ledger.add(bootShell, runner.name, (ready.value.atMs - guest.startedMs) / 1000);
  await guest.off();
  const { instructions, runSeconds } = runner.statistics?.(guest.stderr) ?? {};
  if (instructions === undefined || runSeconds === undefined) return undefined;
  ledger.add(bootSpeed, runner.name, instructions / 1e6 / runSeconds);
  ledger.add(bootCount, runner.name, instructions / 1e6);
  return undefined;
}
