/** The code that a region may be made of: pages of RAM around its entry, as the address space of that moment has them. */
import { type GuestMemory, pageSize } from '../../memory/guest-memory.ts';
import { decode } from '../decode/decoder.ts';
import type { DecodeMode, DecodeResult, Instruction } from '../decode/instruction.ts';
import type { CodeSource } from './discover.ts';
import type { FormFactsTable } from './form-facts.ts';

/** Where hot code was found. */
export interface Candidate {
  readonly record: number;
  readonly ramOffset: number;
  readonly mode: DecodeMode;
}

/** RAM offset → record of the interpreter, 0 if it has met no code there. */
export type RecordAt = (ramOffset: number) => number;

export class RegionSource implements CodeSource {
  readonly #memory: GuestMemory;
  readonly #mode: DecodeMode;
  readonly #facts: FormFactsTable;
  readonly #recordAt: RecordAt;
  readonly #base: number;

  constructor(candidate: Candidate, memory: GuestMemory, facts: FormFactsTable, recordAt: RecordAt) {
    this.#memory = memory;
    this.#mode = candidate.mode;
    this.#facts = facts;
    this.#recordAt = recordAt;
    this.#base = candidate.ramOffset - (candidate.ramOffset % pageSize);
  }

  /** The RAM offset of code at `offset`; -1 if the region cannot reach it. */
  ramOffset(offset: number): number {
    return offset >= 0 && offset < pageSize ? this.#base + offset : -1;
  }

  decode(offset: number): DecodeResult | undefined {
    const at = this.ramOffset(offset);
    return at < 0 ? undefined : decode(this.#memory.bytes, at, this.#base + pageSize, this.#mode);
  }

  isKnown(offset: number): boolean {
    const at = this.ramOffset(offset);
    return at >= 0 && this.#recordAt(at) !== 0;
  }

  translatable(instruction: Instruction): boolean {
    return this.#facts.of(instruction).translatable;
  }
}
