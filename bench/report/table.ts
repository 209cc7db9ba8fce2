/** The report as text for people. */
import type { Target } from '../targets.ts';
import { type Measure, meanRatio, measuresOf, type Report, ratio, samplesOf } from './report.ts';
import { median, significant } from './statistics.ts';

/** Lines of `rows` in columns: the first to the left, the others to the right; a line under the first row. */
export function layOut(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    widths
      .map((width, i) => (i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width)))
      .join('  ')
      .trimEnd();
  const [head, ...body] = rows.map(line);
  return [head, widths.map((width) => '─'.repeat(width)).join('  '), ...body, ''].join('\n');
}

/** `RUNNER/BASE`, for every runner that is ours and every base that has a speed in common with it. */
function ratioColumns(report: Report): { readonly runner: string; readonly base: string; readonly title: string }[] {
  const names = Object.keys(report.runners);
  return names
    .filter((name) => name.startsWith('corbel'))
    .flatMap((runner) =>
      ['qemu-tcg', 'native']
        .filter((base) => meanRatio(report, runner, base) !== undefined)
        .map((base) => ({ runner, base, title: `${runner.replace('corbel-', '')}/${base.replace('qemu-', '')}` })),
    );
}

function cell(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '–' : significant(value);
}

/** Medians by runner, and how they compare: below 1 is better, also where more of the unit is. */
export function resultTable(report: Report): string {
  if (report.series.length === 0) return '';
  const runners = Object.keys(report.runners).filter((name) => report.series.some(({ runner }) => runner === name));
  const columns = ratioColumns(report);
  const row = ({ name, title, unit, better }: Measure): string[] => [
    title,
    better === 'more' ? `${unit} ↑` : unit,
    ...runners.map((runner) => cell(median(samplesOf(report, name, runner)))),
    ...columns.map(({ runner, base }) => (better === undefined ? '' : cell(ratio(report, name, runner, base)))),
  ];
  const rows = [['', '', ...runners, ...columns.map((column) => column.title)], ...measuresOf(report).map(row)];
  if (columns.length > 0) {
    const means = columns.map(({ runner, base }) => cell(meanRatio(report, runner, base)));
    rows.push(['geometric mean of the speeds', '', ...runners.map(() => ''), ...means]);
  }
  const more = columns.length > 0 && measuresOf(report).some(({ better }) => better === 'more');
  const legend = '↑ more is better. A ratio below 1 is always the better one: that of a rate is turned over.\n';
  return layOut(rows) + (more ? legend : '');
}

/** What was to be reached, for the targets whose measure was taken. */
export function targetTable(report: Report, targets: readonly Target[]): string {
  const rows = targets.flatMap((target) => {
    const { relation, limit, over, aim } = target;
    const measure = measuresOf(report).find(({ name }) => name === target.measure);
    const value =
      over === undefined
        ? median(samplesOf(report, target.measure, target.runner))
        : ratio(report, target.measure, target.runner, over);
    if (measure === undefined || value === undefined || Number.isNaN(value)) return [];
    const met = relation === '≤' ? value <= limit : relation === '≥' ? value >= limit : value < limit;
    const unit = over === undefined ? measure.unit : `of ${over}`;
    const bar = `${relation} ${limit} ${unit}${aim === undefined ? '' : ` (aim ${aim})`}`;
    return [[`${target.runner}: ${measure.title}`, `${significant(value)} ${unit}`, bar, met ? 'met' : 'missed']];
  });
  return rows.length === 0 ? '' : layOut([['target', 'measured', 'limit', ''], ...rows]);
}

export function describeReport(report: Report, targets: readonly Target[]): string {
  const host = Object.values(report.host).join(', ');
  const runners = Object.entries(report.runners).map(([name, what]) => `${name}: ${what}`);
  const gaps = report.gaps.map(({ what, runner, reason }) => `- ${what} on ${runner} could not run: ${reason}`);
  const guests = `guests with ${report.memoryMb} MB and ${report.processors} processor${report.processors === 1 ? '' : 's'}`;
  return [
    `${host}\n${runners.join('\n')}\nSuite ${report.suite}: medians of ${report.runs} alternating runs; ${guests}.\n`,
    resultTable(report),
    targetTable(report, targets),
    gaps.length === 0 ? '' : `Not measured:\n${gaps.join('\n')}\n`,
  ]
    .filter((part) => part !== '')
    .join('\n');
}
