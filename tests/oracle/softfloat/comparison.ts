/** The outcome of comparing one case, and the verdict over many. */

import assert from 'node:assert/strict';

export interface Comparison {
  /** Absent where CPU and library agree. */
  readonly difference?: string;
  /** The same to the last bit, not merely within the tolerance. */
  readonly isExact: boolean;
}

/** Fails with the first few differences. */
export function assertNoDifferences(compared: readonly Comparison[]): void {
  assert.notEqual(compared.length, 0, 'nothing was compared');
  const differences = compared.flatMap(({ difference }) => difference ?? []);
  const shown = differences.slice(0, 8).join('\n');
  assert.equal(differences.length, 0, `${differences.length} of ${compared.length} differ:\n${shown}`);
}

/** In percent, two decimals. */
export function exactRate(compared: readonly Comparison[]): string {
  const exact = compared.filter(({ isExact }) => isExact).length;
  return ((100 * exact) / compared.length).toFixed(2);
}
