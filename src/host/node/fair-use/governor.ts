/**
 * Keeps a virtual machine to its share of the host's processors, without privileges: from time to time it tells the other
 * monitors what its machine wants, works out from what they tell what is due to it, and holds its processors back for the
 * rest. On the main thread; the processors themselves look at a time in shared words before each slice.
 */
import type { Statistics } from '../../../machine/config.ts';
import type { ProcessIdentity } from '../vms/process-identity.ts';
import type { Block } from './block.ts';
import { Pace } from './pace.ts';
import { isWanting } from './plan.ts';
import { Rivals } from './rivals.ts';
import type { Peer } from './share-board.ts';
import type { ProcessorShare, ShareRecord } from './share-record.ts';
import { RecentRate } from './usage.ts';

/** The processors of a machine, seen from outside. */
export interface GovernedProcessors {
  readonly count: number;
  nowNs(): number;
  /** How long that processor has halted so far. */
  idleNs(processor: number): number;
  /** All stand still, or are about to: none wants to run. */
  isPaused(): boolean;
  /** None is to run in that time, which takes the place of one given before. */
  block(block: Block | undefined): void;
}

export interface GovernorHost {
  /** Threads that it runs at once. */
  readonly cores: number;
  /** Cores that nobody has used lately; undefined while that is not known. */
  idleCores(nowNs: number): number | undefined;
  /** Processor time of this whole process. */
  usedNs(): number;
}

export interface GovernorParts {
  readonly host: GovernorHost;
  readonly processors: GovernedProcessors;
  readonly share: ProcessorShare;
  readonly identity: ProcessIdentity;
  /** Where the others are; undefined where there is no such place. */
  readonly board:
    | { publish(record: ShareRecord): void; peers(nowNs: number): Peer[]; readonly key: string }
    | undefined;
}

const surveyNs = 100e6;
const busyDemand = 0.02;
/** Until the next look, where there is something to keep to and where not; each for a guest that runs and one that halts. */
const lookMs = { bound: { busy: 10, halted: 25 }, free: { busy: 100, halted: 500 } } as const;
/** Who halts now and then may want a little more next; who has to wait is awake the longer for it. */
const demandMargin = 0.02;

/** Of the last second. */
const eagerPart = 0.95;

const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);

export class Governor {
  readonly #parts: GovernorParts;
  readonly #pace: Pace;
  readonly #rivals = new Rivals();
  readonly #usage = new RecentRate();
  /** Of each processor: how long it did not halt. */
  readonly #awake: readonly RecentRate[];
  #lastNs: number;
  #lastUsedNs: number;
  #surveyedNs = Number.NEGATIVE_INFINITY;
  #demand = 0;
  #isEager = false;
  #lastAwake = { atNs: 0, ns: 0 };
  /** The most at a time. */
  #others = 0;

  constructor(parts: GovernorParts) {
    this.#parts = parts;
    this.#pace = new Pace(parts.share.limit);
    this.#awake = Array.from({ length: parts.processors.count }, () => new RecentRate());
    this.#lastNs = parts.processors.nowNs();
    this.#lastUsedNs = parts.host.usedNs();
  }

  /** @returns milliseconds until it is to be called again */
  look(): number {
    const { processors, host } = this.#parts;
    const nowNs = processors.nowNs();
    const usedNs = host.usedNs();
    this.#pace.count(nowNs - this.#lastNs, usedNs - this.#lastUsedNs);
    if (nowNs - this.#surveyedNs >= surveyNs) this.#survey(nowNs, usedNs);
    processors.block(this.#pace.nextBlock(nowNs));
    this.#lastNs = nowNs;
    this.#lastUsedNs = usedNs;
    // What a machine uses until it is seen to go on is counted afterwards.
    const { busy, halted } = this.#pace.isFree || processors.isPaused() ? lookMs.free : lookMs.bound;
    return this.#demand > busyDemand ? busy : halted;
  }

  end(): void {
    this.#parts.processors.block(undefined);
  }

  statistics(): Statistics {
    const { host, share } = this.#parts;
    const { shares, reserve, limit } = share;
    return {
      processorSeconds: host.usedNs() / 1e9,
      cpuShares: shares,
      ...(reserve > 0 ? { cpuReserve: reserve } : {}),
      ...(limit === undefined ? {} : { cpuLimit: limit }),
      otherMachines: this.#others,
    };
  }

  #survey(nowNs: number, usedNs: number): void {
    const { identity, board, share, host } = this.#parts;
    this.#measureDemand(nowNs, usedNs);
    const record = { ...share, ...identity, atNs: nowNs, usedNs, demand: this.#demand, isEager: this.#isEager };
    board?.publish(record);
    // Who wants nothing is not kept from it: a host full of guests that halt reads no records.
    const peers = isWanting(record) ? (board?.peers(nowNs) ?? []) : [];
    this.#others = Math.max(this.#others, peers.length);
    const key = board?.key ?? '';
    // Nobody to divide with: no need to look.
    const idleCores = peers.length === 0 ? undefined : host.idleCores(nowNs);
    this.#pace.follow(this.#rivals.look(key, [...peers, { key, record }], nowNs, { cores: host.cores, idleCores }));
    this.#surveyedNs = nowNs;
  }

  /** A processor that is held back, or that others keep from running, wants to run all the time. */
  #measureDemand(nowNs: number, usedNs: number): void {
    const { count, idleNs } = this.#parts.processors;
    const isPaused = this.#parts.processors.isPaused();
    let awakeNs = 0;
    for (const [n, awake] of this.#awake.entries()) {
      const ownNs = nowNs - idleNs(n);
      awake.add(nowNs, ownNs);
      awakeNs += ownNs;
    }
    this.#usage.add(nowNs, usedNs);
    // The last moments count, too: who has just begun is not to wait.
    const lately = (awakeNs - this.#lastAwake.ns) / (nowNs - this.#lastAwake.atNs);
    this.#lastAwake = { atNs: nowNs, ns: awakeNs };
    const each = this.#awake.map((awake) => (isPaused ? 0 : (awake.value ?? 0)));
    this.#isEager = each.some((part) => part >= eagerPart);
    const wanted = isPaused ? 0 : Math.max(sum(each), Math.min(lately, count));
    // What other threads use: translation, devices.
    const beside = Math.max(0, (this.#usage.value ?? 0) - wanted);
    this.#demand = Math.min(count, wanted < busyDemand ? wanted : wanted + demandMargin) + beside;
  }
}
