/** A group of measurements that is taken in one run, and makes one report. */
import { cpus, release, totalmem, type } from 'node:os';
import type { Result } from '../../src/support/result.ts';
import type { Ledger, Report } from '../report/report.ts';

export interface SuiteOptions {
  /** How often everything is measured; undefined: as often as the suite sees fit. */
  readonly runs: number | undefined;
  readonly wants: (name: string) => boolean;
  /** Tells the runners to be used by their names. */
  readonly uses: (runner: string) => boolean;
  /** Of each guest, where a suite is about several. */
  readonly processors: number;
}

export interface SuiteTools {
  /** For what lasts as long as the run; whoever made it removes it. */
  readonly folder: string;
  readonly note: (text: string) => void;
}

export interface SuiteOutcome {
  readonly report: Report;
  /** Whether something failed that could run here. */
  readonly failed: boolean;
}

export interface Suite {
  readonly name: string;
  /** One line for the help. */
  readonly title: string;
  /** What can be chosen to be measured. */
  readonly measures: readonly string[];
  readonly runners: readonly string[];
  readonly defaultRuns: number;
  /** A failure is one of the whole suite, with nothing measured. */
  run(options: SuiteOptions, tools: SuiteTools): Promise<Result<SuiteOutcome>>;
}

/** The host as the reports describe it. */
export function describeHost(): Report['host'] {
  const [processor] = cpus();
  return {
    processor: processor?.model ?? 'unknown',
    cores: `${cpus().length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    kernel: `${type()} ${release()}`,
  };
}

interface Preparable {
  readonly name: string;
  prepare(): Promise<Result<string>>;
}

/** Prepares `runners`; what cannot run here is a gap. @returns the others, and what the report says about them */
export async function prepareRunners<R extends Preparable>(
  runners: readonly R[],
  ledger: Ledger,
): Promise<{ readonly ready: readonly R[]; readonly versions: Readonly<Record<string, string>> }> {
  const ready: R[] = [];
  const versions: Record<string, string> = {};
  for (const runner of runners) {
    const prepared = await runner.prepare();
    if (prepared.ok) {
      ready.push(runner);
      versions[runner.name] = prepared.value;
    } else ledger.gap('everything', runner.name, prepared.error.message);
  }
  return { ready, versions };
}
