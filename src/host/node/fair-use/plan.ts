/** What is one virtual machine's due among the others: which part of what there is, and when it has its turn. */
import { type Claim, divide, type Turn, turnOf } from './division.ts';
import type { ShareRecord } from './share-record.ts';

/** A virtual machine that wants to run, and what was seen of it lately. */
export interface Contender {
  readonly key: string;
  readonly record: ShareRecord;
  /** Cores that it has used; undefined while that is not known. */
  readonly usedCores: number | undefined;
}

/** Cores that they have used together. */
export const usedTogether = (contenders: readonly Contender[]): number =>
  sum(contenders.map(({ usedCores, record }) => usedCores ?? record.demand));

export interface HostState {
  /** Threads that it runs at once. */
  readonly cores: number;
  /** Cores that nobody has used lately; undefined while that is not known. */
  readonly idleCores: number | undefined;
}

export interface Plan {
  /** What all get together, in cores. */
  readonly cores: number;
  /** Of each contender, in their order; their sum is 1. */
  readonly parts: readonly number[];
  readonly turns: readonly Turn[];
}

/** Who wants less than that is not there. */
const leastDemand = 0.01;
/** Of what there is. */
const mostReserved = 0.95;

export const isWanting = ({ demand }: ShareRecord): boolean => demand >= leastDemand;

/**
 * @param contenders in an order that every monitor keeps
 * @returns undefined if there is enough for all
 */
export function planFor(contenders: readonly Contender[], host: HostState): Plan | undefined {
  if (contenders.length < 2) return undefined;
  const claims = contenders.map(({ record }) => ({
    weight: record.shares,
    least: record.reserve,
    most: Math.min(record.demand, record.limit ?? Number.POSITIVE_INFINITY),
  }));
  const cores = coresForAll(contenders, host);
  if (sum(claims.map(({ most }) => most)) <= cores) return undefined;
  const dues = divide(cores, withinReason(claims, cores));
  const total = sum(dues);
  // Turns are as long as if the host had nothing else to do. If they followed what the others leave, the others would
  // take more and more.
  const undisturbed = divide(host.cores, claims);
  return {
    cores,
    parts: dues.map((due) => (total > 0 ? due / total : 0)),
    turns: undisturbed.map((_, n) => turnOf(undisturbed, n)),
  };
}

/** Where other programs leave less than what is reserved, those without a reserve still come to do something. */
function withinReason(claims: readonly Claim[], cores: number): readonly Claim[] {
  const reserved = sum(claims.map(({ least, most }) => Math.min(least, most)));
  const factor = Math.min(1, (cores * mostReserved) / reserved);
  return reserved > 0
    ? claims.map((claim) => ({ ...claim, least: Math.min(claim.least, claim.most) * factor }))
    : claims;
}

/** Other programs have a part of the host, too: there is what the virtual machines had, and what was idle. */
function coresForAll(contenders: readonly Contender[], { cores, idleCores }: HostState): number {
  if (idleCores === undefined) return cores;
  return Math.min(cores, idleCores + usedTogether(contenders));
}

const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);
