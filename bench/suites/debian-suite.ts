/** What the suites with a whole Debian share: its image, the machines, their boots, trials in what has booted. */
import { hasProgram } from '../../src/host/node/program.ts';
import { ok, type Result } from '../../src/support/result.ts';
import { hasSsh, provideDebianImage } from '../guest/debian-image.ts';
import { type BootOptions, bootDebians, bootSingles, type LoginMeasures, memoryMb } from '../measure/debian-boots.ts';
import { type Seat, TrialRun } from '../measure/trials.ts';
import { Ledger } from '../report/report.ts';
import { debianRunners } from '../runners/debian-runner.ts';
import type { Trial } from '../trials/trial.ts';
import { describeHost, prepareRunners, type SuiteOptions, type SuiteOutcome, type SuiteTools } from './suite.ts';

export const runnerNames = debianRunners.map(({ name }) => name);

export interface DebianPlan {
  readonly suite: string;
  readonly runs: number;
  readonly processors: number;
  readonly measures: LoginMeasures;
  readonly trials: readonly Trial[];
  /** Told when all has been measured, to add what follows from it. */
  readonly conclude?: (ledger: Ledger, runners: readonly string[]) => void;
}

/** @param ledger may already say what cannot be measured on this host */
export async function runDebian(
  plan: DebianPlan,
  options: SuiteOptions,
  { folder, note }: SuiteTools,
  ledger = new Ledger(),
): Promise<Result<SuiteOutcome>> {
  const { suite, runs, processors, measures } = plan;
  const startedAt = new Date().toISOString();
  const { wants } = options;
  const { ready, versions } = await prepareRunners(
    debianRunners.filter(({ name }) => options.uses(name)),
    ledger,
  );
  const wantsBoots = wants(measures.login.name) || (measures.memory !== undefined && wants(measures.memory.name));
  const wanted = plan.trials.filter(({ measure }) => wants(measure.name));
  const trials = await possibleTrials(wanted, ledger);
  const known = ledger.gaps.length;
  const seats: Seat[] = [];
  if (ready.length > 0 && (wantsBoots || trials.length > 0)) {
    const image = await provideDebianImage(note);
    if (!image.ok) return image;
    const keep = trials.length > 0;
    const boots: BootOptions = { image: image.value, folder, processors, ledger, note };
    if (wantsBoots) seats.push(...(await bootDebians(ready, runs, measures, keep, boots)));
    else seats.push(...(await bootDebians(ready, 1, undefined, keep, boots)));
    const usable = ready.filter(({ name }) => seats.some(({ runner }) => runner === name));
    if (trials.some(({ single }) => single === true)) seats.push(...(await bootSingles(usable, boots)));
  }
  const run = new TrialRun(ledger, note);
  for (const trial of trials) {
    await run.run(trial, seats, runs);
    if (trial.single === true && trials.findLast(({ single }) => single === true) === trial) await dismiss(seats);
  }
  for (const { guest } of seats) await guest.kill();
  plan.conclude?.(ledger, Object.keys(versions));
  const { series, gaps } = ledger;
  const shared = { suite, startedAt, host: describeHost(), runs, memoryMb, processors, runners: versions };
  return ok({ report: { ...shared, series, gaps }, failed: gaps.length > known });
}

/** Ends the guests that no further trial is for: what they do idly would be in the others' way. */
async function dismiss(seats: Seat[]): Promise<void> {
  for (const { guest } of seats.filter(({ single }) => single)) await guest.kill();
  seats.splice(0, seats.length, ...seats.filter(({ single }) => !single));
}

/** Leaves out, with the reason, what this host has no programs for. */
async function possibleTrials(trials: readonly Trial[], ledger: Ledger): Promise<Trial[]> {
  const reachable = await hasSsh();
  const possible: Trial[] = [];
  for (const trial of trials) {
    const missing = !reachable
      ? 'ssh and ssh-keygen are not both installed on the host'
      : trial.needs !== undefined && !(await hasProgram(trial.needs))
        ? `${trial.needs} is not installed on the host`
        : undefined;
    if (missing === undefined) possible.push(trial);
    else ledger.gap(trial.measure.name, 'every runner', missing);
  }
  return possible;
}
