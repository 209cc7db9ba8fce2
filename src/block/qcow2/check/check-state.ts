/** What a check has found so far, and what it may mend. */
import type { BlockFile } from '../../block-file.ts';
import { ClusterSet } from '../cluster-set.ts';
import { hex } from '../failures.ts';
import { type Geometry, geometryOf, roundUp } from '../geometry.ts';
import type { Header } from '../header.ts';
import { ReferenceCounts } from './reference-counts.ts';

/**
 * `leaks`: gives back what is counted and not used. `refcounts`: also counts right what is used, which loses nothing.
 * `all`: also removes pointers that cannot be right.
 */
export type Repair = 'none' | 'leaks' | 'refcounts' | 'all';

export interface CheckReport {
  /** Contradictions that can lose data. */
  readonly errors: number;
  /** Clusters that are counted as used and are not: lost room, nothing else. */
  readonly leaks: number;
  readonly repairedErrors: number;
  readonly repairedLeaks: number;
  readonly totalClusters: number;
  readonly allocatedClusters: number;
  readonly compressedClusters: number;
  /** Of those, how many do not lie behind their neighbour. */
  readonly fragmentedClusters: number;
  /** Behind the last cluster in use. */
  readonly endBytes: number;
  /** The first of them, one sentence each. */
  readonly problems: readonly string[];
}

const mostProblems = 100;

export class CheckState {
  readonly file: BlockFile;
  readonly header: Header;
  readonly geometry: Geometry;
  readonly repair: Repair;
  /** Behind the last cluster of the file. */
  readonly endBytes: number;
  readonly counts = new ReferenceCounts();
  /** Clusters of tables: no data may lie there. */
  readonly tables = new ClusterSet();
  readonly l2Tables = new ClusterSet();
  /** What the image counts, where that differs from `counts`. */
  readonly stored = new Map<number, number>();
  errors = 0;
  leaks = 0;
  repairedErrors = 0;
  repairedLeaks = 0;
  allocated = 0;
  compressed = 0;
  fragmented = 0;
  readonly problems: string[] = [];
  /** Pointers that could not be followed: what they led to looks like leaks. */
  brokenPointers = 0;

  constructor(file: BlockFile, header: Header, fileBytes: number, repair: Repair) {
    this.file = file;
    this.header = header;
    this.geometry = geometryOf(header);
    this.endBytes = roundUp(fileBytes, this.geometry.clusterBytes);
    this.repair = repair;
  }

  get repairsErrors(): boolean {
    return this.repair === 'refcounts' || this.repair === 'all';
  }

  /** Lost room is given back unless it may be data that a broken pointer led to. */
  get repairsLeaks(): boolean {
    return this.repair === 'all' || (this.repair !== 'none' && this.brokenPointers === 0);
  }

  /** A pointer that leads nowhere; only a full repair drops it. */
  pointerError(problem: string): void {
    this.brokenPointers++;
    this.error(problem, this.repair === 'all');
  }

  error(problem: string, repaired: boolean): void {
    this.errors++;
    if (repaired) this.repairedErrors++;
    this.#note(problem, repaired);
  }

  leak(problem: string, repaired: boolean): void {
    this.leaks++;
    if (repaired) this.repairedLeaks++;
    this.#note(problem, repaired);
  }

  /** Whether a range of whole clusters lies in the file. */
  isInside(offset: number, length: number): boolean {
    return offset % this.geometry.clusterBytes === 0 && offset > 0 && offset + length <= this.endBytes;
  }

  /** Counts one more user of every cluster that the range touches. */
  count(offset: number, length: number): void {
    for (const cluster of this.#clusters(offset, length)) this.counts.add(cluster);
  }

  /** The same for a table of the image. @returns false, uncounted, where it does not lie in the file or on another one */
  countTable(what: string, offset: number, length: number): boolean {
    if (length === 0) return true;
    const room = roundUp(length, this.geometry.clusterBytes);
    const clusters = this.#clusters(offset, room);
    const isHeader = offset === 0 && what === 'the header';
    if (!isHeader && !this.isInside(offset, room)) {
      this.error(`${what} is misplaced at ${hex(offset)}`, false);
      return false;
    }
    if (clusters.some((cluster) => this.tables.has(cluster))) {
      this.error(`${what} at ${hex(offset)} lies on another table`, false);
      return false;
    }
    for (const cluster of clusters) {
      this.tables.add(cluster);
      this.counts.add(cluster);
    }
    return true;
  }

  /** Whether a range touches a table. */
  touchesTable(offset: number, length: number): boolean {
    return this.#clusters(offset, length).some((cluster) => this.tables.has(cluster));
  }

  report(): CheckReport {
    const { clusterBytes } = this.geometry;
    let last = 0;
    for (const cluster of this.counts.clusters()) last = Math.max(last, cluster);
    return {
      errors: this.errors - this.repairedErrors,
      leaks: this.leaks - this.repairedLeaks,
      repairedErrors: this.repairedErrors,
      repairedLeaks: this.repairedLeaks,
      totalClusters: Math.ceil(this.header.sizeBytes / clusterBytes),
      allocatedClusters: this.allocated,
      compressedClusters: this.compressed,
      fragmentedClusters: this.fragmented,
      endBytes: (last + 1) * clusterBytes,
      problems: this.problems,
    };
  }

  #note(problem: string, repaired: boolean): void {
    if (this.problems.length < mostProblems) this.problems.push(repaired ? `${problem} (repaired)` : problem);
    else if (this.problems.length === mostProblems) this.problems.push('… and more');
  }

  #clusters(offset: number, length: number): number[] {
    const { clusterBytes } = this.geometry;
    const first = Math.floor(offset / clusterBytes);
    const count = Math.floor((offset + length - 1) / clusterBytes) - first + 1;
    return Array.from({ length: count }, (_, index) => first + index);
  }
}
