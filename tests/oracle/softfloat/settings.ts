/** How many cases the oracle tests run, and from which seed. */

/** Cases per operation and rounding mode; `CORBEL_ORACLE_CASES` overrides. */
export function caseCount(): number {
  return positiveInteger('CORBEL_ORACLE_CASES', 2000);
}

/** Fixed, so that a failure repeats; `CORBEL_ORACLE_SEED` overrides. */
export function seed(): number {
  return positiveInteger('CORBEL_ORACLE_SEED', 20_260_101);
}

function positiveInteger(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value <= 0) throw new Error(`${name} must be a positive integer, not '${text}'`);
  return value;
}
