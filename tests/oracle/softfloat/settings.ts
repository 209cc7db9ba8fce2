/** How many cases the oracle tests run, from which seed, and where they can run at all. */

import { readFileSync } from 'node:fs';

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

/**
 * A reason to skip where no live comparison is possible: the library follows Intel's parts, also where the SDM leaves a
 * choice. Elsewhere the recorded vectors still run. On an Intel host nothing skips: a missing compiler fails.
 */
export function oracleSkip(): string | false {
  if (process.arch !== 'x64') return `the oracle is an x86-64 CPU, this host is ${process.arch}`;
  if (process.platform !== 'linux') return `the oracle needs Linux, this host is ${process.platform}`;
  const vendor = /^vendor_id\s*:\s*(\S+)/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1];
  return vendor === 'GenuineIntel' ? false : `the oracle is an Intel CPU, this host's is ${vendor ?? 'unknown'}`;
}
