/** Whether this host's CPU can judge the engine. */
import { readFileSync } from 'node:fs';

/**
 * A reason to skip where no live comparison is possible: the engine follows Intel's parts, also where makers differ
 * (66-prefixed near branches, the x87 pointers that FXSAVE writes, pushes of selectors). Elsewhere the recorded vectors
 * still run. On an Intel host nothing skips: a missing compiler fails.
 */
export function oracleSkip(): string | false {
  if (process.arch !== 'x64') return `the oracle is an x86-64 CPU, this host is ${process.arch}`;
  if (process.platform !== 'linux') return `the oracle needs Linux, this host is ${process.platform}`;
  const vendor = /^vendor_id\s*:\s*(\S+)/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1];
  return vendor === 'GenuineIntel' ? false : `the oracle is an Intel CPU, this host's is ${vendor ?? 'unknown'}`;
}
