/** The sentences that an image's contradictions share. */
import { type Err, type Failure, fail } from '../../support/result.ts';

/** @param what ends the sentence: "its L1 table lies outside the file" */
export function corrupt(name: string, what: string): Err<Failure<'corrupt'>> {
  return fail('corrupt', `the image ${name} is damaged: ${what}.`);
}

export function unsupported(name: string, what: string): Err<Failure<'unsupported'>> {
  return fail('unsupported', `the image ${name} cannot be used: ${what}.`);
}

export const hex = (value: number): string => `0x${value.toString(16)}`;
