/**
 * The address spaces that TLB and code TLB know at once, by process-context identifier (PCID): one that is entered again
 * finds what it left. Without CR4.PCIDE there is one, number 0. SDM Vol. 3A 4.10.1, 4.10.4.1.
 */
import { blockKeys, codeKeySpace } from '../state/block-key.ts';
import { engine, tlb, tlbContext, tlbSet } from '../state/layout.ts';
import type { CodeTlb } from './code-tlb.ts';
import type { Tlb } from './tlb.ts';

const slots = tlb.contexts - tlbContext.user;
const nobody = -1;

export class AddressSpaces {
  readonly #words: Int32Array;
  readonly #tlb: Tlb;
  readonly #codeTlb: CodeTlb;
  /** By slot: the PCID, when it was entered last, and its number in code keys, which is new after each flush. */
  readonly #pcids = new Int32Array(slots).fill(nobody);
  readonly #entered = new Float64Array(slots);
  readonly #numbers = Int32Array.from({ length: slots }, (_, slot) => slot);
  #nextNumber = slots;
  #current = 0;
  #entries = 0;

  constructor(vcpuMemory: SharedArrayBuffer, dataTlb: Tlb, codeTlb: CodeTlb) {
    this.#words = new Int32Array(vcpuMemory);
    this.#tlb = dataTlb;
    this.#codeTlb = codeTlb;
    this.renumber();
  }

  /** The TLB context of user code in the present address space. */
  get userContext(): number {
    return tlbContext.user + this.#current;
  }

  /** CR3 was loaded. @param keep what is known of the address space `pcid` still holds */
  enter(pcid: number, keep: boolean): void {
    const known = this.#pcids.indexOf(pcid);
    if (known < 0 || known !== this.#current || !keep) this.#flushSupervisor();
    this.#current = known >= 0 ? known : this.#oldest();
    if (known < 0 || !keep) this.#flush(this.#current);
    this.#pcids[this.#current] = pcid;
    this.#entered[this.#current] = ++this.#entries;
    this.#publish();
  }

  #oldest(): number {
    return this.#entered.indexOf(Math.min(...this.#entered));
  }

  /** Everything but global pages that is known of the address space `pcid`. */
  forget(pcid: number): void {
    const slot = this.#pcids.indexOf(pcid);
    if (slot < 0) return;
    if (slot === this.#current) this.#flushSupervisor();
    this.#flush(slot);
    this.#publish();
  }

  /** Everything but global pages. */
  flushNonGlobal(): void {
    this.#flushSupervisor();
    for (let slot = 0; slot < slots; slot++) this.#flush(slot);
    this.#publish();
  }

  flushAll(): void {
    this.#tlb.flushAll();
    this.#codeTlb.flushAll();
  }

  /** CR4.PCIDE changed (or a reset cleared it): the present address space is number 0, the others are forgotten. */
  renumber(): void {
    this.#pcids.fill(nobody);
    this.#pcids[this.#current] = 0;
    this.#publish();
  }

  #flushSupervisor(): void {
    this.#tlb.flushSupervisor();
    this.#codeTlb.flushSupervisor();
  }

  #flush(slot: number): void {
    this.#tlb.flushUser(tlbContext.user + slot);
    // Linux patches its text in an address space of its own, in which no user code ever runs.
    if (!this.#codeTlb.knowsSpace(this.#numbers[slot] as number)) return;
    if (this.#nextNumber === codeKeySpace.numbers) this.#numberAnew();
    else this.#numbers[slot] = this.#nextNumber++;
  }

  /** Numbers have run out: with nothing known of code, all are free. */
  #numberAnew(): void {
    this.#codeTlb.flushAll();
    for (let slot = 0; slot < slots; slot++) this.#numbers[slot] = slot;
    this.#nextNumber = slots;
  }

  #publish(): void {
    const number = this.#numbers[this.#current] as number;
    this.#codeTlb.space = number;
    this.#words[engine.userKey / 4] = blockKeys.user64 | (number << codeKeySpace.shift);
    this.#words[engine.userTlb / 4] = tlbSet(this.userContext);
  }
}
