/** Control characters in what is shown could do things to the terminal. */
const controls = /\p{Cc}/gu;

/** Lines of columns that are as wide as their widest text, two spaces apart. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((text) => text.replace(controls, '?')));
  const width = (column: number): number => Math.max(...clean.map((row) => row[column]?.length ?? 0));
  const widths = clean[0]?.map((_, column) => width(column)) ?? [];
  return clean
    .map(
      (row) =>
        `${row
          .map((text, i) => text.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
