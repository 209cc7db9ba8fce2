/** Something that is measured in a guest that is up. */
import { andThen, fail, mapResult, type Result } from '../../src/support/result.ts';
import type { Measure } from '../report/report.ts';
import type { DebianGuest } from '../runners/debian-guest.ts';

/** Brings a guest into a state; the same one serves several trials. */
export type SetUp = (guest: DebianGuest) => Promise<Result<unknown>>;

export interface Trial {
  readonly measure: Measure;
  /** Done once in each guest, before the first sample. */
  readonly setUp?: SetUp;
  /** Takes a value in the unit of the measure. */
  sample(guest: DebianGuest): Promise<Result<number>>;
  /** A program that the host needs for it. */
  readonly needs?: string;
  /** Whether its guest has one processor, whatever the others have. */
  readonly single?: boolean;
}

/** For any one command in the slowest of guests on a busy host. */
export const commandTimeoutMs = 300_000;

export function shellSetUp(command: string): SetUp {
  return (guest) => guest.run(command, commandTimeoutMs);
}

/** Reads a number from what a command prints. */
export function printed(command: string, parse: (output: string) => Result<number>): Trial['sample'] {
  return async (guest) => andThen(await guest.run(command, commandTimeoutMs), parse);
}

/** Seconds that a command takes by the host's clock. @param prepare runs before it each time, not timed */
export function timed(command: string, prepare = ':'): Trial['sample'] {
  return (guest) => guest.time(prepare, command, commandTimeoutMs);
}

/** A rate in the unit's millions. */
export function millions(result: Result<number>): Result<number> {
  return mapResult(result, (value) => value / 1e6);
}

/** Keeps a result from a value that no measurement can have. */
export function plausible(result: Result<number>): Result<number> {
  if (!result.ok || (Number.isFinite(result.value) && result.value >= 0)) return result;
  return fail('protocol', `${result.value} is no measurement`);
}
