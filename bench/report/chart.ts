/** The speeds of a report as an SVG of bars, relative to QEMU's translator. */
import { isSpeed, measuresOf, type Report, ratio, samplesOf } from './report.ts';
import { median, significant } from './statistics.ts';

const size = { width: 980, left: 370, right: 110, top: 64, bar: 14, gap: 12 } as const;
const colours = ['#8a8a8a', '#4878a8', '#d0762e', '#4f9a5b'] as const;

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Horizontal positions of ratios, logarithmic over whole decades that hold all of `ratios` and 1. */
export function scale(ratios: readonly number[]): {
  readonly decades: number[];
  readonly x: (value: number) => number;
} {
  const logs = [...ratios, 1].map((value) => Math.log10(value));
  const low = Math.floor(Math.min(...logs, -1));
  const high = Math.ceil(Math.max(...logs, 1));
  const decades = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const width = size.width - size.left - size.right;
  return { decades, x: (value) => size.left + ((Math.log10(value) - low) / (high - low)) * width };
}

function textAt(x: number, y: number, text: string, more = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more}>${escaped(text)}</text>`;
}

/** @returns undefined when there is nothing to compare with */
export function chart(report: Report, base = 'qemu-tcg'): string | undefined {
  const runners = Object.keys(report.runners).filter((runner) => runner !== base);
  const rows = measuresOf(report).filter(
    (measure) => isSpeed(measure) && samplesOf(report, measure.name, base).length > 0,
  );
  const bars = rows.map(({ name }) => runners.map((runner) => ratio(report, name, runner, base)));
  const ratios = bars.flat().filter((value) => value !== undefined);
  if (ratios.length === 0) return undefined;
  const { decades, x } = scale(ratios);
  const rowHeight = runners.length * size.bar + size.gap;
  const bottom = size.top + rows.length * rowHeight;
  const title = `Time relative to ${base}, or its rate to that reached (less is faster)`;
  const parts: string[] = [textAt(16, 24, title, ' font-size="16"')];
  runners.forEach((runner, i) => {
    const at = size.left + i * 150;
    parts.push(`<rect x="${at}" y="36" width="12" height="12" fill="${colours[i % colours.length]}"/>`);
    parts.push(textAt(at + 18, 46, runner));
  });
  for (const decade of decades) {
    const at = x(10 ** decade).toFixed(1);
    const stroke = decade === 0 ? '#707070' : '#c8c8c8';
    parts.push(`<line x1="${at}" x2="${at}" y1="${size.top}" y2="${bottom}" stroke="${stroke}"/>`);
    parts.push(textAt(Number(at), bottom + 16, `${10 ** decade}×`, ' text-anchor="middle"'));
  }
  rows.forEach(({ name, title, unit }, row) => {
    const top = size.top + row * rowHeight + size.gap / 2;
    const middle = top + (runners.length * size.bar) / 2 + 4;
    const value = significant(median(samplesOf(report, name, base)));
    parts.push(textAt(size.left - 8, middle, `${title} (${value} ${unit})`, ' text-anchor="end"'));
    bars[row]?.forEach((value, i) => {
      if (value === undefined) return;
      const [from, to] = [Math.min(1, value), Math.max(1, value)].map(x) as [number, number];
      const y = top + i * size.bar;
      const box = `x="${from.toFixed(1)}" y="${y.toFixed(1)}" width="${(to - from).toFixed(1)}" height="${size.bar - 2}"`;
      parts.push(`<rect ${box} fill="${colours[i % colours.length]}"/>`);
      parts.push(textAt(to + 4, y + size.bar - 4, significant(value), ' font-size="10"'));
    });
  });
  const height = bottom + 28;
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" font-family="sans-serif" font-size="12">`;
  return [
    open,
    `<title>${escaped(title)}</title>`,
    `<rect width="${size.width}" height="${height}" fill="#fff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
