/** A time in which no processor of a machine is to run. */
export interface Block {
  readonly fromNs: number;
  readonly untilNs: number;
  /** It comes again in that time; 0: it does not. */
  readonly everyNs: number;
  /** From then on nothing is said: who says it may be held up, and a guest is not to wait for that. */
  readonly endNs: number;
}

/** @returns how long a processor has to wait now; 0: it may run */
export function blockedForNs(nowNs: number, { fromNs, untilNs, everyNs, endNs }: Block): number {
  if (nowNs < fromNs || nowNs >= endNs) return 0;
  const sinceNs = everyNs > 0 ? (nowNs - fromNs) % everyNs : nowNs - fromNs;
  return Math.max(0, Math.min(untilNs - fromNs - sinceNs, endNs - nowNs));
}
