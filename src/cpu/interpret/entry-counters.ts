/** The counters of how often records were entered, as TypeScript sets them; emitted code counts (see `dispatch-loop.ts`). */
import { heatOverflows } from '../state/layout.ts';
import { record } from './record.ts';

/** That of the record at `address`, which others may share. */
const counterOf = (address: number): number =>
  heatOverflows.base + ((address / record.size) & (heatOverflows.entries - 1));

export const roundsOf = (view: DataView, address: number): number => view.getUint8(counterOf(address));

/** Rounds that a record has behind it; see `recordHeat`. */
export function setRounds(view: DataView, address: number, rounds: number): void {
  view.setUint8(counterOf(address), rounds);
}

/** The record is reported after a round at most: some 200 entries. */
export function hasten(view: DataView, address: number): void {
  setRounds(view, address, mostRounds);
}

/** All records are gone: those that come in their places are counted from the beginning. */
export function forgetRounds(view: DataView): void {
  new Uint8Array(view.buffer, heatOverflows.base, heatOverflows.entries).fill(0);
}

/** Counters have a byte. */
export const mostRounds = 255;
