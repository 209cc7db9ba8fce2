/**
 * Where regions begin that were made for another processor: code there is reported soon after this processor is seen to run
 * it, to be entered in that region; if that will not do, it is as cold as it was before.
 */
import type { CodeCache } from '../interpret/code-cache.ts';
import { hasten, roundsOf, setRounds } from '../interpret/entry-counters.ts';
import { record, recordHeat } from '../interpret/record.ts';
import { modeIndexOf, type TranslationService } from './job.ts';

/** Beyond this all are forgotten. */
const most = 1 << 16;

export class SharedHints {
  readonly #view: DataView;
  readonly #code: Pick<CodeCache, 'known' | 'expect'>;
  readonly #made: TranslationService['made'];
  /** By RAM offset: rounds that the place's record had behind it. */
  readonly #rounds = new Map<number, number>();

  constructor(view: DataView, code: Pick<CodeCache, 'known' | 'expect'>, made: TranslationService['made']) {
    this.#view = view;
    this.#code = code;
    this.#made = made;
  }

  /** Takes in what is new. */
  look(): void {
    this.#made?.take((ramOffset, long) => this.#expect(ramOffset, modeIndexOf(long)));
  }

  #expect(ramOffset: number, modeIndex: number): void {
    const view = this.#view;
    const address = this.#code.known(ramOffset, modeIndex);
    // It waits for its region, or has one, which may be this very one.
    if (address !== 0 && view.getUint8(address + record.heat) === recordHeat.settled) return;
    if (this.#rounds.size >= most) this.#rounds.clear();
    this.#rounds.set(ramOffset, address === 0 ? 0 : roundsOf(view, address));
    if (address === 0) this.#code.expect(ramOffset, modeIndex);
    else hasten(view, address);
  }

  /** Whether a place that was reported is one of them. */
  has(ramOffset: number): boolean {
    return this.#rounds.has(ramOffset);
  }

  /** There is no such region after all: the place's record, if it still has one (address 0: it has not), is counted on. */
  failed(ramOffset: number, address: number): void {
    const rounds = this.#rounds.get(ramOffset);
    if (rounds !== undefined && address !== 0) setRounds(this.#view, address, rounds);
    this.#rounds.delete(ramOffset);
  }

  /** A place has its region. */
  met(ramOffset: number): void {
    this.#rounds.delete(ramOffset);
  }

  clear(): void {
    this.#rounds.clear();
  }
}
