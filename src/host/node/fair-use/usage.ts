/** Rates from counters that are looked at now and then. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Over which a rate is taken, at least. */
const windowNs = 1e9;
/** What was seen before such a gap says nothing about now. */
const gapNs = 5e9;

interface Sample {
  readonly atNs: number;
  readonly value: number;
}

/** A counter's growth over the last second. */
export class RecentRate {
  #samples: Sample[] = [];

  add(atNs: number, value: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && (atNs - last.atNs > gapNs || atNs < last.atNs || value < last.value)) this.#samples = [];
    if (last?.atNs !== atNs) this.#samples.push({ atNs, value });
    while ((this.#samples[1]?.atNs ?? Number.POSITIVE_INFINITY) <= atNs - windowNs) this.#samples.shift();
  }

  /** By nanosecond; undefined while there is nothing to compare. */
  get value(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || first === last) return undefined;
    return (last.value - first.value) / (last.atNs - first.atNs);
  }
}

/** How often the host's counters are read: that takes a while where there are many processors. */
const lookNs = 0.5e9;

/** Cores of the host on which nothing runs, of those that this process may run on. */
export class HostIdle {
  readonly #allowed = allowedProcessors();
  readonly #rate = new RecentRate();
  #lookedNs = Number.NEGATIVE_INFINITY;

  /** Undefined while it is not known. */
  cores(nowNs: number): number | undefined {
    if (nowNs - this.#lookedNs >= lookNs) {
      this.#lookedNs = nowNs;
      const own = cpus().filter((_, number) => this.#allowed?.(number) ?? true);
      this.#rate.add(nowNs, own.reduce((sum, { times }) => sum + times.idle, 0) * 1e6);
    }
    return this.#rate.value;
  }
}

/** Undefined where that cannot be known, as outside Linux. proc(5), /proc/pid/status. */
function allowedProcessors(): ((number: number) => boolean) | undefined {
  try {
    return processorList(readFileSync('/proc/self/status', 'latin1'));
  } catch {
    return undefined;
  }
}

/** @param status with a line like `Cpus_allowed_list: 0-3,8` */
export function processorList(status: string): ((number: number) => boolean) | undefined {
  const list = /^Cpus_allowed_list:\s*([0-9,-]+)$/m.exec(status)?.[1];
  const ranges = list?.split(',').map((range) => range.split('-').map(Number));
  if (ranges === undefined) return undefined;
  return (number) => ranges.some(([first = -1, last = first]) => number >= first && number <= last);
}
