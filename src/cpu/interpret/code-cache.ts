/**
 * Decoded code: pages of guest RAM → records, keyed by physical page, offset and decoding mode, so that one page serves
 * every address space. A write to decoded bytes turns the page's records stale before the next instruction.
 */
import { type GuestMemory, pageSize } from '../../memory/guest-memory.ts';
import { type DecodeStatus, decodeInto, decodeStatus } from '../decode/decoder.ts';
import { type DecodeMode, segment } from '../decode/instruction.ts';
import { DecodeState, maxInstructionLength } from '../decode/state.ts';
import { locksBus } from '../emit/forms.ts';
import type { RowFacts } from '../isa/row-facts.ts';
import { modeBits } from '../state/block-key.ts';
import { records } from '../state/layout.ts';
import { Assembler } from './assemble.ts';
import { CodeChunks } from './code-chunks.ts';
import { CodePage, keyOf } from './code-page.ts';
import { forgetRounds, hasten } from './entry-counters.ts';
import { ExpectedEntries } from './expected-entries.ts';
import { pseudoHandler } from './handler-keys.ts';
import type { Handlers } from './handlers.ts';
import { record, recordHeat } from './record.ts';
import { chunkBytes, chunksOf, chunksOfPage, RecordIndex } from './record-index.ts';
import { bytesAcross, Straddlers } from './straddlers.ts';

const maxBlock = 64;
const nothing = new Uint8Array(0);

/** Slots for an instruction that is decoded for one execution. */
const transientRecord = records.base;
const firstRecord = records.base + 2 * record.size;

export class CodeCache {
  readonly #view: DataView;
  readonly #assembler: Assembler;
  /** The instruction that is being decoded. */
  readonly #state = new DecodeState(nothing);
  readonly #memory: GuestMemory;
  readonly #handlers: Handlers;
  readonly #onNewCodePage: (ramPage: number, writers: number) => void;
  readonly #onFull: () => void;
  readonly #onOverwritten: (ramPage: number, chunk: number) => void;
  readonly #isTranslated: (ramPage: number) => boolean;
  #pages = new Map<number, CodePage>();
  #index: RecordIndex;
  readonly #chunks: CodeChunks;
  #next: number = firstRecord;
  readonly #straddlers = new Straddlers();
  readonly #expected = new ExpectedEntries();

  constructor(
    view: DataView,
    memory: GuestMemory,
    handlers: Handlers,
    listeners: {
      newCodePage: (ramPage: number, writers: number) => void;
      full: () => void;
      overwritten: (ramPage: number, chunk: number) => void;
      /** Whether translated code lies in a page of RAM: it is watched then. */
      isTranslated: (ramPage: number) => boolean;
    },
  ) {
    this.#view = view;
    this.#assembler = new Assembler(view.buffer);
    this.#index = new RecordIndex(view);
    this.#chunks = new CodeChunks(memory.users.codeChunks);
    this.#memory = memory;
    this.#handlers = handlers;
    this.#onNewCodePage = listeners.newCodePage;
    this.#onFull = listeners.full;
    this.#onOverwritten = listeners.overwritten;
    this.#isTranslated = listeners.isTranslated;
    memory.onCodeWrite((ramOffset, length) => this.#written(ramOffset, length));
  }

  /** The record for the code at RAM offset `ramOffset`; 0 if its first instruction does not lie within the page. */
  find(ramOffset: number, mode: DecodeMode, modeIndex: number): number {
    const ramPage = Math.floor(ramOffset / pageSize);
    const offset = ramOffset & 0xfff;
    const known = this.#pages.get(ramPage)?.get(keyOf(modeIndex, offset)) ?? 0;
    if (known !== 0) return known;
    if (this.#next + (maxBlock + 1) * record.size > records.end || !this.#index.hasRoom) this.clear();
    return this.#decodeBlock(ramPage, offset, mode, modeIndex);
  }

  /** The record for the code at RAM offset `ramOffset` if there is one already; otherwise 0. */
  known(ramOffset: number, modeIndex: number): number {
    const page = this.#pages.get(Math.floor(ramOffset / pageSize));
    return page?.get(keyOf(modeIndex, ramOffset & 0xfff)) ?? 0;
  }

  /** Code at `ramOffset` is not known yet; once it is, it is reported soon after. */
  expect(ramOffset: number, modeIndex: number): void {
    this.#expected.add(ramOffset, modeIndex);
  }

  /** Whether writes to a page of RAM are watched because it holds code. */
  watches(ramPage: number): boolean {
    return this.#pages.has(ramPage);
  }

  /** All of a page that is watched counts as code until it is written to: what is translated reaches beyond what was decoded. */
  hold(ramPage: number): void {
    this.#chunks.holdPage(ramPage);
  }

  /** Whether a write to bytes of one page would change what is decoded. */
  holds(ramOffset: number, bytes: number): boolean {
    const ramPage = Math.floor(ramOffset / pageSize);
    const page = this.#pages.get(ramPage);
    if (page === undefined) return false;
    const [first, last] = chunksOf(ramOffset & (pageSize - 1), bytes);
    const atEdge = first === 0 || last === chunksOfPage - 1;
    if (atEdge && this.#straddlers.touch(ramPage)) return true;
    for (let chunk = first; chunk <= last; chunk++) {
      if (page.touches(chunk)) return true;
    }
    return false;
  }

  /** Calls `visit` for every instruction of a page that is known in a mode. */
  survey(ramPage: number, modeIndex: number, visit: (offset: number, address: number) => void): void {
    this.#pages.get(ramPage)?.visit(modeIndex, 0, pageSize - 1, visit);
  }

  /** Calls `visit` with page offset and target (from the page's first byte) of direct branches that leave a page. */
  branchesOut(ramPage: number, modeIndex: number, visit: (offset: number, target: number) => void): void {
    const page = this.#pages.get(ramPage);
    if (page === undefined) return;
    const { outgoingKeys: keys, outgoingTargets: targets } = page;
    for (let n = 0; n < keys.length; n++) {
      const key = keys[n] as number;
      if (key >> 12 === modeIndex) visit(key & 0xfff, targets[n] as number);
    }
  }

  /**
   * The record of an instruction that begins at `ramOffset` and ends in page `secondPage` of RAM.
   * @returns 0 if there is none.
   */
  findStraddler(ramOffset: number, secondPage: number, mode: DecodeMode, modeIndex: number): number {
    const key = Straddlers.keyOf(ramOffset, modeIndex);
    const known = this.#straddlers.find(key, secondPage);
    if (known !== 0) return known;
    if (this.#next + 3 * record.size > records.end) this.clear();
    const firstPage = Math.floor(ramOffset / pageSize);
    for (const ramPage of [firstPage, secondPage]) this.#page(ramPage);
    this.#chunks.hold(firstPage * pageSize + pageSize - 1, 1);
    this.#chunks.hold(secondPage * pageSize, 1);
    const bytes = bytesAcross(this.#memory.bytes, ramOffset, secondPage);
    this.#state.begin(bytes, 0, bytes.length);
    const status = decodeInto(this.#state, mode);
    if (status !== decodeStatus.ok) return 0;
    const address = this.#next;
    const offset = ramOffset % pageSize;
    this.#pseudo(offset, pseudoHandler.straddler, address + record.size);
    this.#view.setInt32(address + record.immediate, secondPage * pageSize, true);
    this.#next += record.size;
    this.#assemble(address + record.size, status, offset, mode);
    this.#pseudo(offset + this.#state.length, pseudoHandler.continue, 0);
    this.#straddlers.add(key, address, firstPage, secondPage);
    return address;
  }

  #dropStraddlers(ramPage: number): void {
    this.#straddlers.drop(ramPage, (address) => {
      for (const at of [address, address + record.size])
        this.#view.setUint16(at + record.handler, pseudoHandler.stale, true);
    });
  }

  /** Forgets everything; no emitted code may be running. */
  clear(): void {
    this.#onFull();
    this.forgetRecords([]);
  }

  /** Forgets all records; no emitted code may be running. @param translated pages that are watched all the same */
  forgetRecords(translated: readonly number[]): void {
    const kept = new Set(translated);
    for (const page of this.#pages.values()) if (!kept.has(page.ramPage)) this.#unmark(page);
    this.#index = new RecordIndex(this.#view);
    this.#pages = new Map(translated.map((ramPage) => [ramPage, new CodePage(ramPage, this.#index)]));
    this.#straddlers.clear();
    this.#expected.clear();
    this.#next = firstRecord;
    forgetRounds(this.#view);
  }

  /** Records that there are, about: such as were overwritten count, too. */
  get records(): number {
    return (this.#next - firstRecord) / record.size;
  }

  /** Bytes of the vCPU's memory that hold nothing now: from, to. */
  get unused(): readonly (readonly [number, number])[] {
    return [[this.#next, records.end], this.#index.unused];
  }

  #page(ramPage: number): CodePage {
    let page = this.#pages.get(ramPage);
    if (page === undefined) {
      page = new CodePage(ramPage, this.#index);
      this.#pages.set(ramPage, page);
      this.#chunks.clear(ramPage);
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
    const expected = this.#expected.in(ramPage);
    const links: number[] = [];
    const s = this.#state;
    let previous = 0;
    for (let count = 0; ; count++) {
      const key = keyOf(modeIndex, offset);
      // The key of the page's end is that of an instruction at its beginning, maybe in another mode.
      const known = offset < pageSize ? page.get(key) : 0;
      if (known !== 0 || count === maxBlock || offset >= pageSize) {
        this.#pseudo(offset, known === 0 ? pseudoHandler.continue : pseudoHandler.goto, known);
        break;
      }
      this.#chunks.hold(base + offset, Math.min(maxInstructionLength, pageSize - offset));
      s.begin(bytes, base + offset, base + pageSize);
      const status = decodeInto(s, mode);
      if (status === decodeStatus.truncated) {
        if (count === 0) return 0;
        this.#pseudo(offset, pseudoHandler.continue, 0);
        break;
      }
      const address = this.#next;
      page.set(key, address);
      this.#next += record.size;
      const ends = this.#assemble(address, status, offset, mode);
      previous = this.#assembler.join(previous, address, this.#handlers);
      this.#resolve(page, key, address);
      if (expected?.delete(key)) hasten(this.#view, address);
      // Elsewhere instruction pointers are cut to 16 bits, or checked against the limit: not here.
      const follows = (modeIndex & modeBits.size) >= modeBits.size64 && s.operandSize !== 16;
      if (follows && status === decodeStatus.ok && s.candidate?.facts.relative === true) links.push(address);
      offset += s.length;
      if (ends) {
        // Whatever falls through after all (STI, MOV SS …) looks up its successor.
        this.#pseudo(offset, pseudoHandler.continue, 0);
        break;
      }
    }
    for (const address of links) this.#link(page, address, modeIndex);
    return first;
  }

  #pseudo(offset: number, handler: number, link: number): void {
    this.#assembler.writePseudo(this.#next, offset, handler, link);
    this.#next += record.size;
  }

  /** Writes the record of what was decoded. @returns whether the block ends with it. */
  #assemble(address: number, status: DecodeStatus, offset: number, mode: DecodeMode): boolean {
    const s = this.#state;
    const facts = s.candidate?.facts;
    if (status !== decodeStatus.ok || facts === undefined) {
      const handler = status === decodeStatus.tooLong ? pseudoHandler.tooLong : pseudoHandler.undefined;
      this.#assembler.writePseudo(address, offset, handler, 0);
      return true;
    }
    const long = mode.codeSize === 64;
    const locked = this.#handlers.atomic && locksBus(facts, s);
    const handler = isUndefinedSegment(s, facts)
      ? pseudoHandler.undefined
      : this.#handlers.numberOf(facts, s, long, locked);
    this.#assembler.write(address, s, facts, offset, handler, long);
    return facts.endsBlock || handler === pseudoHandler.undefined;
  }

  /** Links a branch to its target if that lies in the same page; remembers it if the target is not decoded yet. */
  #link(page: CodePage, address: number, modeIndex: number): void {
    const view = this.#view;
    const distance = view.getInt32(address + record.immediate, true);
    const next = view.getUint16(address + record.pageOffset, true) + view.getUint8(address + record.length);
    const target = next + distance;
    if (target < 0 || target >= pageSize) {
      page.leads(keyOf(modeIndex, view.getUint16(address + record.pageOffset, true)), target);
      return;
    }
    const key = keyOf(modeIndex, target);
    const known = page.get(key);
    if (known !== 0) view.setUint32(address + record.link, known, true);
    else page.wait(key, address);
  }

  /** What waited for a record of `key`, and what still leads to stale ones, goes to the new one. */
  #resolve(page: CodePage, key: number, address: number): void {
    for (const branch of page.takeWaiting(key)) {
      // A branch that was overwritten meanwhile leads on to its successor: that link is not the branch's target.
      const overwritten = this.#view.getUint16(branch + record.handler, true) === pseudoHandler.goto;
      if (!overwritten) this.#view.setUint32(branch + record.link, address, true);
    }
    for (const old of page.staleOf(key)) this.#assembler.writePseudo(old, key & 0xfff, pseudoHandler.goto, address);
  }

  /** Decodes one instruction for one execution, from bytes that may come from two pages; starts at `pageOffset`. */
  transient(bytes: Uint8Array, pageOffset: number, mode: DecodeMode): DecodeStatus {
    const s = this.#state;
    s.begin(bytes, 0, bytes.length);
    const status = decodeInto(s, mode);
    if (status === decodeStatus.truncated) return status;
    this.#assemble(transientRecord, status, pageOffset, mode);
    const length = status === decodeStatus.ok ? s.length : 1;
    this.#assembler.writePseudo(transientRecord + record.size, pageOffset + length, pseudoHandler.continue, 0);
    return status;
  }

  /** Makes a copy of a record runnable once; what follows it is looked up. @returns its address */
  again(bytes: Uint8Array): number {
    new Uint8Array(this.#view.buffer).set(bytes, transientRecord);
    // The place is counted elsewhere: what reported itself here would come again.
    this.#view.setUint8(transientRecord + record.heat, recordHeat.settled);
    const offset = this.#view.getUint16(transientRecord + record.pageOffset, true);
    const length = this.#view.getUint8(transientRecord + record.length);
    this.#assembler.writePseudo(transientRecord + record.size, offset + length, pseudoHandler.continue, 0);
    return transientRecord;
  }

  /** Makes a copy of a record that leads on to what follows the record. @returns its address; 0 if there is no room */
  copy(address: number): number {
    if (this.#next + 2 * record.size > records.end) return 0;
    const copied = this.#next;
    new Uint8Array(this.#view.buffer).copyWithin(copied, address, address + record.size);
    this.#view.setUint8(copied + record.heat, recordHeat.settled);
    this.#next += record.size;
    const next = address + record.size;
    this.#pseudo(this.#view.getUint16(next + record.pageOffset, true), pseudoHandler.goto, next);
    return copied;
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
      const [firstChunk, lastChunk] = chunksOf(from, to - from + 1);
      for (let chunk = firstChunk; chunk <= lastChunk; chunk++) {
        this.#invalidate(page, chunk);
        this.#chunks.release(ramPage * chunksOfPage + chunk);
      }
      if (firstChunk === 0 || lastChunk === chunksOfPage - 1) this.#dropStraddlers(ramPage);
      if (page.isEmpty && !this.#straddlers.touch(ramPage) && !this.#isTranslated(ramPage)) {
        this.#pages.delete(ramPage);
        page.close();
        this.#unmark(page);
        // Nobody sees it change any more, which counts for what is being translated.
        for (let chunk = 0; chunk < chunksOfPage; chunk++) this.#onOverwritten(ramPage, chunk);
      }
    }
  }

  /** Every instruction with bytes in a chunk is decoded anew the next time. */
  #invalidate(page: CodePage, chunk: number): void {
    this.#onOverwritten(page.ramPage, chunk);
    if (!page.touches(chunk)) return;
    const start = chunk * chunkBytes;
    const first = Math.max(start - maxInstructionLength + 1, 0);
    for (let modeIndex = 0; modeIndex < page.modes; modeIndex++) {
      page.visit(modeIndex, first, start + chunkBytes - 1, (offset, _address, length) => {
        if (offset + length <= start) return;
        for (const old of page.retire(keyOf(modeIndex, offset)))
          this.#view.setUint16(old + record.handler, pseudoHandler.stale, true);
      });
    }
  }

  #unmark(page: CodePage): void {
    this.#memory.users.releaseCode(page.ramPage);
  }
}

/** MOV to CS, and segment registers 6 and 7, are #UD. SDM Vol. 2B "MOV". */
function isUndefinedSegment(s: DecodeState, facts: RowFacts): boolean {
  if (facts.segment === 'none') return false;
  const number = s.reg & 7;
  return number > segment.gs || (facts.segment === 'destination' && number === segment.cs);
}
