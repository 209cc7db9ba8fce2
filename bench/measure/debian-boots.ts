/** Boots of Debian to the login prompt, each on a new overlay of one image, alternating between the machines. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createOverlay } from '../../src/host/node/debian/image-store.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';
import type { BenchImage } from '../guest/debian-image.ts';
import type { Ledger, Measure } from '../report/report.ts';
import { DebianGuest } from '../runners/debian-guest.ts';
import type { DebianRunner } from '../runners/debian-runner.ts';
import { freePort } from '../trials/iperf3-server.ts';
import { monitorMemory } from './process.ts';
import type { Seat } from './trials.ts';

export const memoryMb = 1024;
const settleTimeoutMs = 300_000;
/** After this nothing starts by the clock of the guest in the middle of a trial. */
const settle = `systemctl is-system-running --wait || :; systemctl stop '*.timer'; sync`;

export interface LoginMeasures {
  readonly login: Measure;
  /** Memory beside the guest at the prompt. */
  readonly memory?: Measure;
}

export interface BootOptions {
  readonly image: BenchImage;
  /** Where overlays go; whoever made it removes it. */
  readonly folder: string;
  readonly processors: number;
  readonly ledger: Ledger;
  readonly note: (text: string) => void;
}

/** Starts a machine on an overlay that is removed with it. */
async function start(runner: DebianRunner, options: BootOptions): Promise<Result<DebianGuest>> {
  const { image, key } = options.image;
  const sshPort = await freePort();
  const disk = join(options.folder, `${runner.name}-${sshPort}.qcow2`);
  const made = await createOverlay(disk, image);
  if (!made.ok) return fail('unavailable', made.error.message);
  const command = runner.command({ image, disk, memoryMb, processors: options.processors, sshPort });
  const guest = new DebianGuest(command, key === undefined ? undefined : { key, port: sshPort }, () =>
    rm(disk, { force: true }),
  );
  return ok(guest);
}

/**
 * Boots each machine `rounds` times.
 * @param measures undefined where the boots are only there for their guests
 * @param keep whether the guests of the last round stay up
 * @returns those guests, ready for trials
 */
export async function bootDebians(
  runners: readonly DebianRunner[],
  rounds: number,
  measures: LoginMeasures | undefined,
  keep: boolean,
  options: BootOptions,
): Promise<Seat[]> {
  const { ledger, note, processors } = options;
  const seats: Seat[] = [];
  const failed = new Set<DebianRunner>();
  for (let round = 1; round <= rounds; round++) {
    for (const runner of runners) {
      if (failed.has(runner)) continue;
      note(`boot with ${processors} vCPU${processors === 1 ? '' : 's'}, round ${round} of ${rounds}: ${runner.name}`);
      const booted = await boot(runner, measures, options);
      if (!booted.ok) {
        failed.add(runner);
        const what = round === 1 ? 'boot and all trials' : `boot from round ${round} on, and all trials`;
        ledger.gap(what, runner.name, booted.error.message);
      } else if (keep && round === rounds) seats.push(...(await seat(runner, booted.value, false, ledger)));
      else await booted.value.kill();
    }
  }
  return seats;
}

/** Boots machines with one processor at once, unmeasured, where others have more. */
export async function bootSingles(runners: readonly DebianRunner[], options: BootOptions): Promise<Seat[]> {
  const { ledger, note } = options;
  note(`boot with 1 vCPU: ${runners.map(({ name }) => name).join(', ')}`);
  const starting = runners.map(async (runner) => {
    const booted = await boot(runner, undefined, { ...options, processors: 1 });
    if (booted.ok) return seat(runner, booted.value, true, ledger);
    ledger.gap('trials with one vCPU', runner.name, booted.error.message);
    return [];
  });
  return (await Promise.all(starting)).flat();
}

/** A guest with the prompt as a seat for trials; none if it cannot be reached. */
async function seat(runner: DebianRunner, guest: DebianGuest, single: boolean, ledger: Ledger): Promise<Seat[]> {
  const settled = await settleDown(guest);
  if (settled.ok) return [{ runner: runner.name, guest, single }];
  ledger.gap(single ? 'trials with one vCPU' : 'all trials', runner.name, settled.error.message);
  await guest.kill();
  return [];
}

async function boot(
  runner: DebianRunner,
  measures: LoginMeasures | undefined,
  options: BootOptions,
): Promise<Result<DebianGuest>> {
  const started = await start(runner, options);
  if (!started.ok) return started;
  const guest = started.value;
  const seconds = await guest.logIn();
  if (!seconds.ok) {
    await guest.kill();
    return seconds;
  }
  if (measures === undefined) return started;
  const { ledger } = options;
  ledger.add(measures.login, runner.name, seconds.value);
  if (measures.memory === undefined) return started;
  const memory = await monitorMemory(guest.pid, memoryMb * 2 ** 20).catch(() => undefined);
  if (memory !== undefined) ledger.add(measures.memory, runner.name, memory);
  else ledger.gap(measures.memory.name, runner.name, 'no mapping of its process has the size of the guest memory');
  return started;
}

async function settleDown(guest: DebianGuest): Promise<Result<string>> {
  const reached = await guest.reach(settleTimeoutMs);
  return reached.ok ? guest.run(settle, settleTimeoutMs) : reached;
}
