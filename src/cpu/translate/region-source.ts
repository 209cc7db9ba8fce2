/** The code that a region may be made of: pages around its entry, as the address space of the request had them. */
import { pageSize } from '../../memory/guest-memory.ts';
import { decode } from '../decode/decoder.ts';
import type { DecodeResult, Instruction } from '../decode/instruction.ts';
import type { CodeSource } from './discover.ts';
import type { FormFactsTable } from './form-facts.ts';
import { type CodePage, hasBit, type RegionRequest } from './job.ts';

const mode = { codeSize: 64, real: false } as const;

export class RegionSource implements CodeSource {
  readonly #pages: RegionRequest['pages'];
  readonly #facts: FormFactsTable;

  constructor(request: RegionRequest, facts: FormFactsTable) {
    this.#pages = request.pages;
    this.#facts = facts;
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
    return page === undefined ? undefined : decode(page.bytes, offset & 0xfff, pageSize, mode);
  }

  isKnown(offset: number): boolean {
    const page = this.#pageOf(offset);
    return page !== undefined && hasBit(page.known, offset & 0xfff);
  }

  /** Whether a region may begin at `offset`. */
  isFree(offset: number): boolean {
    const page = this.#pageOf(offset);
    return page !== undefined && hasBit(page.free, offset & 0xfff);
  }

  translatable(instruction: Instruction): boolean {
    return this.#facts.of(instruction).translatable;
  }
}
