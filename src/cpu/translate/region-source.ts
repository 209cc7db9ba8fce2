/** The code that a region may be made of: pages around its entry, as the address space of the request had them. */
import { pageSize } from '../../memory/guest-memory.ts';
import { decode } from '../decode/decoder.ts';
import type { DecodeMode, DecodeResult, Instruction } from '../decode/instruction.ts';
import { maxInstructionLength } from '../decode/state.ts';
import { type CodeSource, isDirect } from './discover.ts';
import type { FormFactsTable } from './form-facts.ts';
import { type CodePage, hasBit, type RegionRequest } from './job.ts';

export class RegionSource implements CodeSource {
  readonly #pages: RegionRequest['pages'];
  readonly #facts: FormFactsTable;
  readonly #mode: DecodeMode;

  constructor(request: RegionRequest, facts: FormFactsTable) {
    this.#pages = request.pages;
    this.#facts = facts;
    this.#mode = { codeSize: request.long ? 64 : 32, real: false };
  }

  #pageOf(offset: number): CodePage | undefined {
    return this.#pages.get(Math.floor(offset / pageSize));
  }

  /** The RAM offset of code at `offset`; -1 if the region cannot reach it. */
  ramOffset(offset: number): number {
    const page = this.#pageOf(offset);
    return page === undefined ? -1 : page.ramPage * pageSize + (offset & 0xfff);
  }

  decode(offset: number): DecodeResult | undefined {
    const page = this.#pageOf(offset);
    if (page === undefined) return undefined;
    const within = offset & 0xfff;
    const result = decode(page.bytes, within, pageSize, this.#mode);
    const next = result.kind === 'truncated' ? this.#pageOf(offset + pageSize) : undefined;
    if (next === undefined) return result;
    const both = new Uint8Array(2 * maxInstructionLength);
    both.set(page.bytes.subarray(within));
    both.set(next.bytes.subarray(0, maxInstructionLength), pageSize - within);
    return decode(both, 0, both.length, this.#mode);
  }

  #has(bitmap: 'known' | 'reached' | 'warm' | 'free', offset: number): boolean {
    const page = this.#pageOf(offset);
    return page !== undefined && hasBit(page[bitmap], offset & 0xfff);
  }

  isKnown(offset: number): boolean {
    return this.#has('known', offset);
  }

  isReached(offset: number): boolean {
    return this.#has('reached', offset);
  }

  isWarm(offset: number): boolean {
    return this.#has('warm', offset);
  }

  isEntry(offset: number): boolean {
    return this.isKnown(offset) && !this.isFree(offset);
  }

  /** Whether a region may begin at `offset`. */
  isFree(offset: number): boolean {
    return this.#has('free', offset);
  }

  translatable(instruction: Instruction): boolean {
    // It reads frames that it may have overwritten in part by then: nothing that a region leaves undone and that is repeated.
    if (instruction.row.semantics === 'enter') return false;
    // Jumps that cut the instruction pointer to 16 bits lead nowhere that `discover` looks.
    if (instruction.operandSize === 16 && isDirect(instruction)) return false;
    return this.#facts.of(instruction, this.#mode.codeSize === 64).translatable;
  }
}
