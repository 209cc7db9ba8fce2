/** The outcome of a bench run, as it is written to JSON. */
import { geometricMean, median } from './statistics.ts';

/** Rates end with `/s`; `×` is how many times the one is the other. */
type Unit = 's' | 'MB' | '%' | 'M' | 'M/s' | 'MB/s' | 'Mbit/s' | 'IO/s' | 'tx/s' | 'op/s' | '×';

/** What was measured, one row of the report. */
export interface Measure {
  readonly name: string;
  readonly title: string;
  readonly unit: Unit;
  /** Which of two values is the better one; none for what is only counted. */
  readonly better?: 'less' | 'more';
}

export interface Series {
  readonly measure: Measure;
  readonly runner: string;
  /** In the order of the rounds. */
  readonly samples: readonly number[];
}

/** Something that was not measured. */
export interface Gap {
  readonly what: string;
  readonly runner: string;
  readonly reason: string;
}

export interface Report {
  readonly suite: string;
  readonly startedAt: string;
  readonly host: Readonly<Record<string, string | number>>;
  readonly runs: number;
  /** Of each guest. */
  readonly memoryMb: number;
  readonly processors: number;
  /** Name and version of every runner that took part, in the order of the columns. */
  readonly runners: Readonly<Record<string, string>>;
  readonly series: readonly Series[];
  readonly gaps: readonly Gap[];
}

/** Collects a report while it is being measured. */
export class Ledger {
  readonly #series: { measure: Measure; runner: string; samples: number[] }[] = [];
  readonly gaps: Gap[] = [];

  add(measure: Measure, runner: string, sample: number): void {
    const known = this.#series.find((series) => series.measure.name === measure.name && series.runner === runner);
    if (known === undefined) this.#series.push({ measure, runner, samples: [sample] });
    else known.samples.push(sample);
  }

  /** Notes once why something could not be measured. */
  gap(what: string, runner: string, reason: string): void {
    if (!this.gaps.some((gap) => gap.what === what && gap.runner === runner)) this.gaps.push({ what, runner, reason });
  }

  /** Those taken so far. */
  samples(measure: string, runner: string): readonly number[] {
    return this.#series.find((series) => series.measure.name === measure && series.runner === runner)?.samples ?? [];
  }

  get series(): readonly Series[] {
    return this.#series;
  }
}

/** The measures of a report, in the order in which they were first seen. */
export function measuresOf(report: Report): Measure[] {
  const byName = new Map(report.series.map((series) => [series.measure.name, series.measure]));
  return [...byName.values()];
}

/** The samples of one cell; none when it was not measured. */
export function samplesOf(report: Report, measure: string, runner: string): readonly number[] {
  return report.series.find((series) => series.measure.name === measure && series.runner === runner)?.samples ?? [];
}

/** Whether it says how fast something is: these have a mean and a chart. */
export function isSpeed({ unit, better }: Measure): boolean {
  return better !== undefined && (unit === 's' || unit.endsWith('/s'));
}

/**
 * How `runner` compares with `base`, by their medians: below 1 where it is better, whichever direction that is. For a
 * time it is the time over that of the base, for a rate the base's rate over it. Undefined where a value is missing, or
 * neither direction is the better one.
 */
export function ratio(report: Report, measure: string, runner: string, base: string): number | undefined {
  const better = measuresOf(report).find(({ name }) => name === measure)?.better;
  const [own, other] = [median(samplesOf(report, measure, runner)), median(samplesOf(report, measure, base))];
  const value = better === 'less' ? own / other : better === 'more' ? other / own : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** Over all speeds that both have; undefined where there is none. */
export function meanRatio(report: Report, runner: string, base: string): number | undefined {
  const ratios = measuresOf(report)
    .filter(isSpeed)
    .map((measure) => ratio(report, measure.name, runner, base))
    .filter((value) => value !== undefined);
  return ratios.length === 0 ? undefined : geometricMean(ratios);
}
