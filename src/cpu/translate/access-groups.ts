/**
 * Accesses that lie close together by what is known of their addresses share one look into the TLB. The first looks up all
 * of the stretch that they cover, and keeps where it lies in RAM; how long it is comes out when the last of them is emitted.
 */
import { LateNumber } from '../../wasm/late-number.ts';
import type { Local } from '../../wasm/types.ts';
import type { Address } from './known-addresses.ts';

/** Bytes of a stretch, at most: one that crosses a page's end goes to the slow paths, where each access is looked up. */
const longest = 256;
/** Bytes that numbers up to `longest`, and places in a TLB set, take in emitted code. */
const width = { distance: 2, table: 3 } as const;
/** The latest groups, of which an access looks for its own. */
const lookedAt = 24;

interface Member {
  readonly distance: number;
  /** Its offset from the stretch's start. */
  readonly offset: LateNumber;
}

export interface AccessGroup {
  readonly base: number;
  /** i32: where the stretch lies in RAM; `notInRam` if that did not come out. */
  readonly ram: Local;
  /** Of the stretch's start, from the first access. */
  readonly start: LateNumber;
  /** Of its last byte, from its start. */
  readonly last: LateNumber;
  /** Offsets from an entry's place in the read table. */
  readonly tag: LateNumber;
  readonly addend: LateNumber;
  readonly members: Member[];
  /** Distance of its first access. */
  readonly first: number;
  /** Groups made before it. */
  readonly number: number;
  low: number;
  end: number;
  /** Looks into the table of writes. */
  writes: boolean;
}

/** What an access needs of its group. */
export interface Membership {
  readonly group: AccessGroup;
  readonly offset: LateNumber;
}

/** No stretch lies there: RAM ends at 4 GB. */
export const notInRam = -1;

export interface GroupHost {
  /** An i32 local that lives as long as the function. */
  readonly newLocal: () => Local;
  /** Offsets from an entry's place in the read table: of tag and addend in the table of reads or writes. */
  readonly table: (writes: boolean) => { readonly tag: number; readonly addend: number };
}

/** What to go back to where a part of the code ends that its groups were made in. */
export interface GroupMark {
  readonly usable: readonly AccessGroup[];
  readonly opened: number;
}

export class AccessGroups {
  readonly #host: GroupHost;
  readonly #free: Local[] = [];
  /** Those whose first access always came before what is emitted now. */
  #usable: readonly AccessGroup[] = [];
  readonly #opened: AccessGroup[] = [];
  /** The first group that was made where what is emitted now runs, too. */
  #straight = 0;
  /** The first group that still leads where it led when it was made. */
  #valid = 0;
  #made = 0;

  constructor(host: GroupHost) {
    this.#host = host;
  }

  mark(): GroupMark {
    return { usable: this.#usable, opened: this.#opened.length };
  }

  /** Fills in what was made since `mark`. */
  release({ usable, opened }: GroupMark): void {
    for (const group of this.#opened.splice(opened)) this.#fill(group);
    this.#usable = usable;
  }

  /** From here on code may run without what came before it having run, or the other way about. */
  divide(): void {
    this.#straight = this.#made;
  }

  /** Addresses lead elsewhere now, whichever way the code came here. */
  forget(): void {
    this.#valid = this.#made;
  }

  /** The group that has, or can take in, an access of `bytes` at `address`. */
  join(address: Address, bytes: number, writes: boolean): Membership | undefined {
    const until = Math.max(0, this.#usable.length - lookedAt);
    for (let n = this.#usable.length - 1; n >= until; n--) {
      const group = this.#usable[n] as AccessGroup;
      if (group.number < this.#valid) break;
      if (group.base !== address.base || !this.#takes(group, address.distance, bytes, writes)) continue;
      return this.#add(group, address.distance);
    }
    return undefined;
  }

  #takes(group: AccessGroup, distance: number, bytes: number, writes: boolean): boolean {
    const low = Math.min(group.low, distance);
    const end = Math.max(group.end, distance + bytes);
    if (end - low > longest) return false;
    if (writes && !group.writes) {
      // Where nothing is written after all, pages that are only read would never be found.
      if (group.number < this.#straight) return false;
      group.writes = true;
    }
    group.low = low;
    group.end = end;
    return true;
  }

  #add(group: AccessGroup, distance: number): Membership {
    const offset = new LateNumber(width.distance);
    group.members.push({ distance, offset });
    return { group, offset };
  }

  /** A group with an access of `bytes` at `address` as its first. */
  open(address: Address, bytes: number, writes: boolean): Membership {
    const { base, distance } = address;
    const group: AccessGroup = {
      base,
      ram: this.#free.pop() ?? this.#host.newLocal(),
      start: new LateNumber(width.distance),
      last: new LateNumber(width.distance),
      tag: new LateNumber(width.table),
      addend: new LateNumber(width.table),
      members: [],
      first: distance,
      number: this.#made++,
      low: distance,
      end: distance + bytes,
      writes,
    };
    this.#opened.push(group);
    this.#usable = [...this.#usable, group];
    return this.#add(group, distance);
  }

  #fill(group: AccessGroup): void {
    const table = this.#host.table(group.writes);
    group.start.fill(group.low - group.first);
    group.last.fill(group.end - group.low - 1);
    group.tag.fill(table.tag);
    group.addend.fill(table.addend);
    for (const { distance, offset } of group.members) offset.fill(distance - group.low);
    this.#free.push(group.ram);
  }
}
