/**
 * Decoded code: pages of guest RAM → records, keyed by physical page, offset and decoding mode, so that one page serves
 * every address space. A write to decoded bytes turns the page's records stale before the next instruction.
 */
import { type GuestMemory, pageSize } from '../../memory/guest-memory.ts';
import { decode } from '../decode/decoder.ts';
import type { DecodeMode, DecodeResult, Instruction } from '../decode/instruction.ts';
import { segment } from '../decode/instruction.ts';
import { maxInstructionLength } from '../decode/state.ts';
import { locksBus } from '../emit/forms.ts';
import { records } from '../state/layout.ts';
import { assemble, assemblePseudo } from './assemble.ts';
import { type Handlers, pseudoHandler } from './handlers.ts';
import { record } from './record.ts';

const maxBlock = 64;
const maxNamesakes = 8;
/** Enough for a page of nothing but calls, and a bound on one that rewrites itself for ever. */
const maxOutgoing = 1024;
/** Decoded bytes are tracked in chunks, so that data beside code does not throw the code away. */
const chunkBytes = 64;

interface CodePage {
  readonly ramPage: number;
  /** Record by (mode index << 12 | page offset). */
  readonly records: Map<number, number>;
  /** Branch records that wait for a target of the same key. */
  readonly waiting: Map<number, number[]>;
  /** Direct branches to other pages: (mode index << 12 | page offset) and target, counted from the page's first byte. */
  readonly outgoing: (readonly [number, number])[];
  /** By chunk: keys of the records whose instructions touch it (some perhaps gone by now). */
  readonly chunks: (number[] | undefined)[];
  /** Stale records by key: what still links to them is sent on to the key's next record. */
  readonly stale: Map<number, number[]>;
}

/** An instruction that two pages share. */
interface Straddler {
  readonly record: number;
  readonly secondPage: number;
}

/** Slots for an instruction that is decoded for one execution. */
const transientRecord = records.base;
const firstRecord = records.base + 2 * record.size;

export class CodeCache {
  readonly #view: DataView;
  readonly #memory: GuestMemory;
  readonly #handlers: Handlers;
  readonly #onNewCodePage: (ramPage: number, writers: number) => void;
  readonly #onFull: () => void;
  readonly #onOverwritten: (ramPage: number, chunk: number) => void;
  #pages = new Map<number, CodePage>();
  #next: number = firstRecord;
  /** By RAM offset × 8 + mode index. */
  readonly #straddlers = new Map<number, Straddler>();
  /** Keys of the straddlers that begin or end in a page. */
  readonly #straddlersOf = new Map<number, Set<number>>();

  constructor(
    view: DataView,
    memory: GuestMemory,
    handlers: Handlers,
    listeners: {
      newCodePage: (ramPage: number, writers: number) => void;
      full: () => void;
      overwritten: (ramPage: number, chunk: number) => void;
    },
  ) {
    this.#view = view;
    this.#memory = memory;
    this.#handlers = handlers;
    this.#onNewCodePage = listeners.newCodePage;
    this.#onFull = listeners.full;
    this.#onOverwritten = listeners.overwritten;
    memory.onCodeWrite((ramOffset, length) => this.#written(ramOffset, length));
  }

  /** The record for the code at RAM offset `ramOffset`; 0 if its first instruction does not lie within the page. */
  find(ramOffset: number, mode: DecodeMode, modeIndex: number): number {
    const ramPage = Math.floor(ramOffset / pageSize);
    const offset = ramOffset & 0xfff;
    const known = this.#pages.get(ramPage)?.records.get((modeIndex << 12) | offset);
    if (known !== undefined) return known;
    if (this.#next + (maxBlock + 1) * record.size > records.end) this.clear();
    return this.#decodeBlock(ramPage, offset, mode, modeIndex);
  }

  /** The record for the code at RAM offset `ramOffset` if there is one already; otherwise 0. */
  known(ramOffset: number, modeIndex: number): number {
    const page = this.#pages.get(Math.floor(ramOffset / pageSize));
    return page?.records.get((modeIndex << 12) | (ramOffset & 0xfff)) ?? 0;
  }

  /** Whether writes to a page of RAM are watched because it holds code. */
  watches(ramPage: number): boolean {
    return this.#pages.has(ramPage);
  }

  /** Page offset and record of every instruction of a page that is known in a mode. */
  *offsets(ramPage: number, modeIndex: number): Generator<readonly [number, number]> {
    for (const [key, address] of this.#pages.get(ramPage)?.records ?? []) {
      if (key >> 12 === modeIndex) yield [key & 0xfff, address];
    }
  }

  /** Page offset and target (from the page's first byte) of direct branches that leave a page of code. */
  *branchesOut(ramPage: number, modeIndex: number): Generator<readonly [number, number]> {
    for (const [key, target] of this.#pages.get(ramPage)?.outgoing ?? []) {
      if (key >> 12 === modeIndex) yield [key & 0xfff, target];
    }
  }

  /**
   * The record of an instruction that begins at `ramOffset` and ends in page `secondPage` of RAM.
   * @returns 0 if there is none.
   */
  findStraddler(ramOffset: number, secondPage: number, mode: DecodeMode, modeIndex: number): number {
    const key = ramOffset * 8 + modeIndex;
    const known = this.#straddlers.get(key);
    if (known !== undefined && known.secondPage === secondPage) return known.record;
    if (this.#next + 3 * record.size > records.end) this.clear();
    const firstPage = Math.floor(ramOffset / pageSize);
    for (const ramPage of [firstPage, secondPage]) this.#page(ramPage);
    const bytes = this.#bytesAcross(ramOffset, secondPage);
    const result = decode(bytes, 0, bytes.length, mode);
    if (result.kind !== 'ok') return 0;
    const address = this.#next;
    const offset = ramOffset % pageSize;
    this.#pseudo(offset, pseudoHandler.straddler, address + record.size);
    this.#view.setInt32(address + record.immediate, secondPage * pageSize, true);
    this.#next += record.size;
    this.#assemble(address + record.size, result, offset, mode);
    this.#pseudo(offset + result.instruction.length, pseudoHandler.continue, 0);
    this.#straddlers.set(key, { record: address, secondPage });
    for (const ramPage of [firstPage, secondPage]) {
      const keys = this.#straddlersOf.get(ramPage);
      if (keys === undefined) this.#straddlersOf.set(ramPage, new Set([key]));
      else keys.add(key);
    }
    return address;
  }

  /** As many bytes as an instruction may have. */
  #bytesAcross(ramOffset: number, secondPage: number): Uint8Array {
    const ram = this.#memory.bytes;
    const bytes = new Uint8Array(maxInstructionLength);
    const first = pageSize - (ramOffset % pageSize);
    bytes.set(ram.subarray(ramOffset, ramOffset + first));
    const second = secondPage * pageSize;
    bytes.set(ram.subarray(second, second + maxInstructionLength - first), first);
    return bytes;
  }

  #dropStraddlers(ramPage: number): void {
    for (const key of this.#straddlersOf.get(ramPage) ?? []) {
      const straddler = this.#straddlers.get(key);
      if (straddler === undefined) continue;
      for (const at of [straddler.record, straddler.record + record.size])
        this.#view.setUint16(at + record.handler, pseudoHandler.stale, true);
      this.#straddlers.delete(key);
    }
    this.#straddlersOf.delete(ramPage);
  }

  /** Forgets everything; no emitted code may be running. */
  clear(): void {
    for (const page of this.#pages.values()) this.#unmark(page);
    this.#onFull();
    this.#pages = new Map();
    this.#straddlers.clear();
    this.#straddlersOf.clear();
    this.#next = firstRecord;
  }

  #page(ramPage: number): CodePage {
    let page = this.#pages.get(ramPage);
    if (page === undefined) {
      page = {
        ramPage,
        records: new Map(),
        waiting: new Map(),
        outgoing: [],
        chunks: new Array(pageSize / chunkBytes).fill(undefined),
        stale: new Map(),
      };
      this.#pages.set(ramPage, page);
      this.#onNewCodePage(ramPage, this.#memory.users.claimCode(ramPage));
    }
    return page;
  }

  #decodeBlock(ramPage: number, start: number, mode: DecodeMode, modeIndex: number): number {
    const bytes = this.#memory.bytes;
    const base = ramPage * pageSize;
    const first = this.#next;
    let offset = start;
    // Marked before its bytes are read: another thread may be writing them.
    const page = this.#page(ramPage);
    const links: number[] = [];
    for (let count = 0; ; count++) {
      const key = (modeIndex << 12) | offset;
      // The key of the page's end is that of an instruction at its beginning, maybe in another mode.
      const known = offset < pageSize ? page.records.get(key) : undefined;
      if (known !== undefined || count === maxBlock || offset >= pageSize) {
        this.#pseudo(offset, known === undefined ? pseudoHandler.continue : pseudoHandler.goto, known ?? 0);
        break;
      }
      const result = decode(bytes, base + offset, base + pageSize, mode);
      if (result.kind === 'truncated') {
        if (count === 0) return 0;
        this.#pseudo(offset, pseudoHandler.continue, 0);
        break;
      }
      const address = this.#next;
      page.records.set(key, address);
      this.#next += record.size;
      const length = result.kind === 'ok' ? result.instruction.length : maxInstructionLength;
      this.#touch(page, key, offset, Math.min(offset + length, pageSize) - 1);
      const ends = this.#assemble(address, result, offset, mode);
      this.#resolve(page, key, address);
      if (result.kind === 'ok' && isRelativeBranch(result.instruction)) links.push(address);
      offset += length;
      if (ends) {
        // Whatever falls through after all (STI, MOV SS …) looks up its successor.
        this.#pseudo(offset, pseudoHandler.continue, 0);
        break;
      }
    }
    for (const address of links) this.#link(page, address, mode, modeIndex);
    return first;
  }

  /** Notes that the record of `key` depends on bytes `first`…`last` of its page; sends its stale namesakes to it. */
  #touch(page: CodePage, key: number, first: number, last: number): void {
    for (let chunk = (first / chunkBytes) | 0; chunk <= ((last / chunkBytes) | 0); chunk++) {
      const keys = page.chunks[chunk];
      if (keys === undefined) page.chunks[chunk] = [key];
      else keys.push(key);
    }
    const address = page.records.get(key) as number;
    for (const old of page.stale.get(key) ?? []) assemblePseudo(this.#view, old, first, pseudoHandler.goto, address);
  }

  #pseudo(offset: number, handler: number, link: number): void {
    assemblePseudo(this.#view, this.#next, offset, handler, link);
    this.#next += record.size;
  }

  /** Writes one record. @returns whether the block ends with it. */
  #assemble(address: number, result: DecodeResult, offset: number, mode: DecodeMode): boolean {
    if (result.kind !== 'ok') {
      const handler = result.kind === 'undefined' ? pseudoHandler.undefined : pseudoHandler.tooLong;
      assemblePseudo(this.#view, address, offset, handler, 0);
      return true;
    }
    const { instruction } = result;
    const long = mode.codeSize === 64;
    const { row, operandSize, addressSize, registerForm, repeat } = instruction;
    const locked = this.#handlers.atomic && locksBus(instruction);
    const handler = isUndefinedSegment(instruction)
      ? pseudoHandler.undefined
      : this.#handlers.numberOf(row, { operandSize, addressSize, registerForm, repeat, long, locked });
    assemble(this.#view, address, instruction, offset, handler, long);
    return row.endsBlock === true || handler === pseudoHandler.undefined;
  }

  /** Links a branch to its target if that lies in the same page; remembers it if the target is not decoded yet. */
  #link(page: CodePage, address: number, mode: DecodeMode, modeIndex: number): void {
    const view = this.#view;
    const distance = view.getInt32(address + record.immediate, true);
    const next = view.getUint16(address + record.pageOffset, true) + view.getUint8(address + record.length);
    const target = next + distance;
    // In 16- and 32-bit code the instruction pointer wraps and is checked against the limit: not here.
    if (mode.codeSize !== 64) return;
    if (target < 0 || target >= pageSize) {
      if (page.outgoing.length < maxOutgoing)
        page.outgoing.push([(modeIndex << 12) | view.getUint16(address + record.pageOffset, true), target]);
      return;
    }
    const key = (modeIndex << 12) | target;
    const known = page.records.get(key);
    if (known !== undefined) {
      view.setUint32(address + record.link, known, true);
      return;
    }
    const waiting = page.waiting.get(key);
    if (waiting === undefined) page.waiting.set(key, [address]);
    else waiting.push(address);
  }

  #resolve(page: CodePage, key: number, address: number): void {
    const waiting = page.waiting.get(key);
    if (waiting === undefined) return;
    for (const branch of waiting) {
      // A branch that was overwritten meanwhile leads on to its successor: that link is not the branch's target.
      const overwritten = this.#view.getUint16(branch + record.handler, true) === pseudoHandler.goto;
      if (!overwritten) this.#view.setUint32(branch + record.link, address, true);
    }
    page.waiting.delete(key);
  }

  /** Decodes one instruction for one execution, from bytes that may come from two pages; starts at `pageOffset`. */
  transient(bytes: Uint8Array, pageOffset: number, mode: DecodeMode): DecodeResult {
    const result = decode(bytes, 0, bytes.length, mode);
    if (result.kind === 'truncated') return result;
    this.#assemble(transientRecord, result, pageOffset, mode);
    const length = result.kind === 'ok' ? result.instruction.length : 1;
    assemblePseudo(this.#view, transientRecord + record.size, pageOffset + length, pseudoHandler.continue, 0);
    return result;
  }

  /** Makes a copy of a record runnable once; what follows it is looked up. @returns its address */
  again(bytes: Uint8Array): number {
    new Uint8Array(this.#view.buffer).set(bytes, transientRecord);
    const offset = this.#view.getUint16(transientRecord + record.pageOffset, true);
    const length = this.#view.getUint8(transientRecord + record.length);
    assemblePseudo(this.#view, transientRecord + record.size, offset + length, pseudoHandler.continue, 0);
    return transientRecord;
  }

  get transientRecord(): number {
    return transientRecord;
  }

  #written(ramOffset: number, length: number): void {
    const first = Math.floor(ramOffset / pageSize);
    const last = Math.floor((ramOffset + length - 1) / pageSize);
    for (let ramPage = first; ramPage <= last; ramPage++) {
      const page = this.#pages.get(ramPage);
      if (page === undefined) continue;
      const from = Math.max(ramOffset - ramPage * pageSize, 0);
      const to = Math.min(ramOffset + length - ramPage * pageSize, pageSize) - 1;
      for (let chunk = (from / chunkBytes) | 0; chunk <= ((to / chunkBytes) | 0); chunk++)
        this.#invalidate(page, chunk);
      if (from < chunkBytes || to >= pageSize - chunkBytes) this.#dropStraddlers(ramPage);
      if (page.records.size === 0 && !this.#straddlersOf.has(ramPage)) {
        this.#pages.delete(ramPage);
        this.#unmark(page);
        // Translated code may reach further than what the interpreter has met, and nobody would see it change.
        for (let chunk = 0; chunk < pageSize / chunkBytes; chunk++) this.#onOverwritten(ramPage, chunk);
      }
    }
  }

  #invalidate(page: CodePage, chunk: number): void {
    this.#onOverwritten(page.ramPage, chunk);
    const keys = page.chunks[chunk];
    if (keys === undefined) return;
    page.chunks[chunk] = undefined;
    for (const key of keys) {
      const address = page.records.get(key);
      if (address === undefined) continue;
      page.records.delete(key);
      const namesakes = page.stale.get(key) ?? [];
      // What rewrites itself forever is looked up anew in the end instead of being remembered.
      if (namesakes.length < maxNamesakes) page.stale.set(key, [...namesakes, address]);
      for (const old of [...namesakes, address]) {
        this.#view.setUint16(old + record.handler, pseudoHandler.stale, true);
      }
    }
  }

  #unmark(page: CodePage): void {
    this.#memory.users.releaseCode(page.ramPage);
  }
}

const isRelativeBranch = (instruction: Instruction): boolean =>
  instruction.row.operandSpecs.some(({ source }) => source === 'J');

/** MOV to CS, and segment registers 6 and 7, are #UD. SDM Vol. 2B "MOV". */
function isUndefinedSegment(instruction: Instruction): boolean {
  const position = instruction.row.operandSpecs.findIndex(({ source }) => source === 'S');
  if (position < 0) return false;
  const number = instruction.reg & 7;
  return number > segment.gs || (position === 0 && number === segment.cs);
}
