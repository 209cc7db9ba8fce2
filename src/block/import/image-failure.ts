import { type Err, fail } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';

/** @param what a clause: "its header is …" */
export function damaged(name: string, what: string): Err<DiskFailure> {
  return fail('corrupt', `the image ${name} is damaged: ${what}.`);
}

/** @param what a clause: "it is …; do …" */
export function refused(name: string, what: string): Err<DiskFailure> {
  return fail('unsupported', `the image ${name} cannot be read: ${what}.`);
}
