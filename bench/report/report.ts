/** The outcome of a bench run, as it is written to JSON. */
import { geometricMean, median } from './statistics.ts';

type Unit = 's' | 'MB' | '%' | 'M/s' | 'M';

/** What was measured, one row of the report. */
export interface Measure {
  readonly name: string;
  readonly title: string;
  readonly unit: Unit;
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
  readonly startedAt: string;
  readonly host: Readonly<Record<string, string | number>>;
  readonly runs: number;
  readonly memoryMb: number;
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

/** Median of `runner` over the median of `base`, or undefined where one is missing. */
export function ratio(report: Report, measure: string, runner: string, base: string): number | undefined {
  const value = median(samplesOf(report, measure, runner)) / median(samplesOf(report, measure, base));
  return Number.isFinite(value) ? value : undefined;
}

/** Over all times that both have; undefined where there is none. */
export function meanRatio(report: Report, runner: string, base: string): number | undefined {
  const ratios = measuresOf(report)
    .filter((measure) => measure.unit === 's')
    .map((measure) => ratio(report, measure.name, runner, base))
    .filter((value) => value !== undefined);
  return ratios.length === 0 ? undefined : geometricMean(ratios);
}
