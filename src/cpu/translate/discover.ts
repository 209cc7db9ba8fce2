/**
 * Finds the code of a region: everything reachable from its entry by direct jumps, calls and falling through, as far as
 * the interpreter has met it. Offsets count from the first byte of the entry's page.
 */
import type { DecodeResult, Instruction } from '../decode/instruction.ts';

export interface Placed {
  readonly instruction: Instruction;
  readonly offset: number;
}

export interface Block {
  readonly start: number;
  readonly instructions: readonly Placed[];
  /** Offset after the last instruction. */
  readonly end: number;
  /** Whether control can run off the end. */
  readonly fallsThrough: boolean;
  /** Branch target of the last instruction, if it is a direct jump or call; may lie outside the region. */
  readonly target: number | undefined;
  /** The last instruction is a direct call. */
  readonly calls: boolean;
  /** The last instruction is a near return. */
  readonly returns: boolean;
  /** The instruction at `end` is left to the interpreter. */
  readonly interpreted: boolean;
}

export interface Code {
  readonly blocks: ReadonlyMap<number, Block>;
  readonly instructions: number;
  /** Where control comes back to the region's code from outside: return addresses, what follows interpreted instructions. */
  readonly reentries: readonly number[];
}

/** Where the translator finds code. */
export interface CodeSource {
  /** Decodes at `offset`; undefined where there is nothing to translate. */
  decode(offset: number): DecodeResult | undefined;
  /** Whether the interpreter has met code at `offset`. */
  isKnown(offset: number): boolean;
  /** Whether jumps to code at `offset` were seen; not counting those within regions. */
  isReached(offset: number): boolean;
  /** Whether they are frequent. */
  isWarm(offset: number): boolean;
  /** Whether a region can be entered at `offset` already. */
  isEntry(offset: number): boolean;
  /** Whether the translator takes an instruction; the others end a block and run in the interpreter. */
  translatable(instruction: Instruction): boolean;
}

/** Instructions that a region takes over from another behind one of its entries, at most. */
const shortCode = 24;

const jumpKinds: ReadonlySet<string> = new Set(['jcc', 'jmp', 'loop', 'loope', 'loopne', 'jcxz']);

/** No event comes between STI and the instruction after it, so that a block may not end there. */
const isSti = ({ row }: Instruction): boolean => row.semantics === 'sti';

const isCall = ({ row }: Instruction): boolean => row.semantics === 'call';

/** Whether an instruction encodes where it leads to. */
export const isDirect = (instruction: Instruction): boolean =>
  jumpKinds.has(instruction.row.semantics) || isCall(instruction);

function targetOf({ instruction, offset }: Placed): number | undefined {
  if (!isDirect(instruction)) return undefined;
  return offset + instruction.length + Number(instruction.immediate);
}

class Explorer {
  readonly placed = new Map<number, Placed>();
  readonly leaders = new Set<number>();
  readonly reentries = new Set<number>();
  readonly #source: CodeSource;
  readonly #limit: number;
  /** What `isShort` said. */
  readonly #short = new Map<number, boolean>();
  readonly #entry: number;
  #pending: number[] = [];
  /** Call targets wait until the caller is complete. */
  #calls: number[] = [];

  constructor(entry: number, source: CodeSource, limit: number) {
    this.#entry = entry;
    this.#source = source;
    this.#limit = limit;
  }

  explore(): void {
    this.leaders.add(this.#entry);
    this.#pending.push(this.#entry);
    for (;;) {
      const next = this.#pending.pop() ?? this.#calls.shift();
      if (next === undefined) return;
      this.#run(next);
    }
  }

  /** Whether the region had better end before `offset`, for another begins there. */
  #isOthers(offset: number): boolean {
    if (offset === this.#entry || this.placed.has(offset)) return false;
    return this.#source.isEntry(offset) && !this.#isShort(offset);
  }

  /** Whether so little code follows that it is better had twice than gone over to. */
  #isShort(start: number): boolean {
    const known = this.#short.get(start);
    if (known !== undefined) return known;
    const seen = new Set<number>();
    const pending = [start];
    for (let at = pending.pop(); at !== undefined && seen.size <= shortCode; at = pending.pop()) {
      let offset = at;
      while (!seen.has(offset) && !this.placed.has(offset) && seen.size <= shortCode) {
        const result = this.#source.decode(offset);
        if (result?.kind !== 'ok' || !this.#source.translatable(result.instruction)) break;
        const { instruction } = result;
        seen.add(offset);
        const target = targetOf({ instruction, offset });
        if (target !== undefined && !isCall(instruction) && this.#source.isReached(target)) pending.push(target);
        if (instruction.row.endsBlock === true && !isCall(instruction)) break;
        offset += instruction.length;
      }
    }
    const short = seen.size <= shortCode;
    this.#short.set(start, short);
    return short;
  }

  /** Code that nothing leads to is left out until something does; functions are worth their room when they are hot. */
  #lead(offset: number, called: boolean): void {
    if (!(called ? this.#source.isWarm(offset) : this.#source.isReached(offset))) return;
    if (this.#isOthers(offset)) return;
    this.leaders.add(offset);
    (called ? this.#calls : this.#pending).push(offset);
  }

  #run(start: number): void {
    let offset = start;
    while (!this.placed.has(offset) && this.placed.size < this.#limit) {
      if (offset !== start && this.#isOthers(offset)) return;
      const result = this.#source.decode(offset);
      if (result?.kind !== 'ok') return;
      const { instruction } = result;
      const next = offset + instruction.length;
      if (!this.#source.translatable(instruction) || (isSti(instruction) && !this.#canFollow(next))) {
        if (instruction.row.endsBlock !== true || isSti(instruction)) this.#reenter(next);
        return;
      }
      const here: Placed = { instruction, offset };
      this.placed.set(offset, here);
      const target = targetOf(here);
      if (isCall(instruction) || instruction.row.semantics === 'call-indirect') this.#reenter(next);
      if (target !== undefined) {
        this.#lead(target, isCall(instruction));
        this.leaders.add(next);
      }
      if (instruction.row.endsBlock === true && !isSti(instruction)) return;
      offset = next;
    }
  }

  /** Whether the region has room for an instruction at `offset` that may follow STI. */
  #canFollow(offset: number): boolean {
    const result = this.#source.decode(offset);
    if (result?.kind !== 'ok' || isSti(result.instruction)) return false;
    if (this.placed.size + 1 >= this.#limit || this.#isOthers(offset)) return false;
    return this.#source.translatable(result.instruction);
  }

  /** Code that goes on after something else ran belongs to the region, too. */
  #reenter(offset: number): void {
    if (!this.#source.isKnown(offset) || this.#isOthers(offset)) return;
    this.reentries.add(offset);
    this.leaders.add(offset);
    this.#pending.push(offset);
  }
}

function blockAt(start: number, placed: ReadonlyMap<number, Placed>, leaders: ReadonlySet<number>): Block | undefined {
  const instructions: Placed[] = [];
  const plain = { start, target: undefined, calls: false, returns: false };
  let offset = start;
  for (;;) {
    const here = placed.get(offset);
    if (here === undefined) break;
    const { row } = here.instruction;
    instructions.push(here);
    offset += here.instruction.length;
    const target = targetOf(here);
    const ends = row.endsBlock === true && !isSti(here.instruction);
    if (ends || target !== undefined) {
      const kind = { calls: row.semantics === 'call', returns: row.semantics === 'ret' };
      return { start, instructions, end: offset, fallsThrough: !ends, target, ...kind, interpreted: false };
    }
    if (!leaders.has(offset)) continue;
    if (isSti(here.instruction)) return withoutLast({ ...plain, instructions, end: here.offset });
    return { ...plain, instructions, end: offset, fallsThrough: true, interpreted: false };
  }
  if (instructions.length === 0) return undefined;
  return { ...plain, instructions, end: offset, fallsThrough: true, interpreted: true };
}

/** A block that leaves its last instruction to the interpreter. */
function withoutLast(block: Omit<Block, 'fallsThrough' | 'interpreted'>): Block | undefined {
  const instructions = block.instructions.slice(0, -1);
  return instructions.length === 0 ? undefined : { ...block, instructions, fallsThrough: true, interpreted: true };
}

/** @param limit on the number of instructions @returns no blocks if nothing at the entry can be translated */
export function discover(entry: number, source: CodeSource, limit: number): Code {
  const explorer = new Explorer(entry, source, limit);
  explorer.explore();
  const { placed, leaders, reentries } = explorer;
  const blocks = new Map<number, Block>();
  for (const leader of leaders) {
    const block = blockAt(leader, placed, leaders);
    if (block !== undefined) blocks.set(leader, block);
  }
  return { blocks, instructions: placed.size, reentries: [...reentries].filter((offset) => blocks.has(offset)) };
}
