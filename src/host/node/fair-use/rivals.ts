/** The virtual machines that want this host's processors: what they have used, and what is due to each. */

import type { Turn } from './division.ts';
import { type Contender, type HostState, isWanting, planFor, usedTogether } from './plan.ts';
import type { Peer } from './share-board.ts';
import { type Spare, Standing } from './standing.ts';
import { RecentRate } from './usage.ts';

/** What one of them may have until it is looked again. */
export interface Due {
  /** In cores; a guess from what there was lately. */
  readonly rate: number;
  /** Above 0: it is behind the others. */
  readonly lagNs: number;
  /** More is not kept for it. */
  readonly mostLagNs: number;
  readonly turn: Turn;
  /** Other programs have a part of the host: keeping to turns would leave them the rest of it, too. */
  readonly isDisturbed: boolean;
}

/** How long something is kept for who does not take it: other programs may keep it from running for a while. */
const keptNs = 0.5e9;

/** Of the host: so little is idle between two turns, too. */
const negligibleIdle = 0.03;
/** Of what all get: they try for so much more, or what they once left to other programs would be lost for good. */
const growth = 0.01;

interface Seen {
  readonly rate: RecentRate;
  usedNs: number;
}

export class Rivals {
  readonly #seen = new Map<string, Seen>();
  readonly #standing = new Standing();
  #lookedNs = 0;

  /**
   * @param all every virtual machine there is, own among them
   * @returns undefined if it may run as it likes
   */
  look(own: string, all: readonly Peer[], nowNs: number, host: HostState): Due | undefined {
    const gained = new Map(all.map((peer) => [peer.key, this.#see(peer)] as const));
    for (const key of this.#seen.keys()) if (!gained.has(key)) this.#seen.delete(key);
    const elapsedNs = nowNs - this.#lookedNs;
    this.#lookedNs = nowNs;
    const contenders: Contender[] = all
      .filter(({ record }) => isWanting(record))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map((peer) => ({ ...peer, usedCores: this.#seen.get(peer.key)?.rate.value }));
    const idleCores = usableIdle(contenders, host);
    const plan = planFor(contenders, { ...host, idleCores });
    const index = contenders.findIndex(({ key }) => key === own);
    if (plan === undefined || index < 0) {
      this.#standing.clear();
      return undefined;
    }
    const { cores, parts, turns } = plan;
    const part = (n: number): number => parts[n] as number;
    const gains = contenders.map(({ key, record }, n) => ({
      ...{ key, part: part(n), gainedNs: gained.get(key) ?? 0 },
      isEager: record.isEager,
    }));
    this.#standing.settle(gains, spareOf(cores, { ...host, idleCores }, elapsedNs), keptNs * cores);
    const rate = part(index) * cores;
    const lagNs = this.#standing.lagNs(own);
    const isDisturbed = isShort(cores, host);
    return { rate, lagNs, mostLagNs: rate * keptNs, turn: turns[index] as Turn, isDisturbed };
  }

  /** @returns processor time that it has had since it was last seen */
  #see({ key, record }: Peer): number {
    const { usedNs, atNs } = record;
    const seen = this.#seen.get(key) ?? { rate: new RecentRate(), usedNs };
    this.#seen.set(key, seen);
    seen.rate.add(atNs, usedNs);
    const gained = Math.max(0, usedNs - seen.usedNs);
    seen.usedNs = usedNs;
    return gained;
  }
}

/** There may be idle cores that nobody lets this process use. */
function usableIdle(contenders: readonly Contender[], { cores, idleCores }: HostState): number | undefined {
  if (idleCores === undefined) return undefined;
  return Math.min(idleCores, Math.max(0, cores - usedTogether(contenders)));
}

const isShort = (usable: number, { cores }: HostState): boolean => usable < cores * (1 - negligibleIdle);

function spareOf(usable: number, { cores, idleCores = 0 }: HostState, elapsedNs: number): Spare {
  const idle = Math.max(0, idleCores - cores * negligibleIdle);
  const free = isShort(usable, { cores, idleCores }) ? idle + usable * growth : idle;
  return { idleNs: idleCores * elapsedNs, freeNs: free * elapsedNs };
}
