/** What `corbel run` runs, by what is on its command line. */
import { fail, ok, type Result } from '../support/result.ts';

/**
 * `linux`: the linux guest, with a kernel of the user's own if there is one; `kernel`: that kernel alone; `debian`: an
 * image of Debian; `disk`: what firmware finds on the first disk.
 */
export type GuestKind = 'linux' | 'kernel' | 'debian' | 'disk';

/** Options that say how another guest starts. */
const ofKernels = ['kernel', 'initrd', 'module', 'append'];

/** @param given the names of the options that are there */
export function chooseGuest(operands: readonly string[], given: ReadonlyMap<string, unknown>): Result<GuestKind> {
  const [guest, ...more] = operands;
  if ((guest !== undefined && guest !== 'linux' && guest !== 'debian') || more.length > 0) {
    const wrong = more[0] ?? guest;
    return fail('usage', `there is no guest "${wrong}"; it is linux, debian, or a file given with --kernel or --disk.`);
  }
  const ofKernel = ofKernels.find((name) => given.has(name));
  if (given.has('exec-timeout') && (guest !== 'debian' || !given.has('exec'))) {
    return fail('usage', '--exec-timeout is for a command in the debian guest: corbel run debian --exec CMD.');
  }
  if (guest === 'debian') {
    return given.has('overlay') ? debianFromDisk(ofKernel) : debianFromKernel(ofKernel, given.has('bios'));
  }
  if (given.has('overlay'))
    return fail('usage', '--overlay is for the debian guest: corbel run debian --overlay FILE.');
  if (guest === 'linux' || given.has('exec')) {
    return given.has('bios') ? fail('usage', '--bios starts what is on a disk, not the linux guest.') : ok('linux');
  }
  if (given.has('bios')) {
    if (ofKernel === undefined) return ok('disk');
    return fail('usage', `--bios starts what is on a disk; leave --${ofKernel} out.`);
  }
  if (given.has('initrd') && !given.has('kernel')) {
    return fail('usage', '--initrd needs a kernel: give --kernel FILE, or the word linux for its kernel.');
  }
  if (given.has('kernel')) return ok('kernel');
  return ok(given.has('disk') && ofKernel === undefined ? 'disk' : 'linux');
}

function debianFromDisk(ofKernel: string | undefined): Result<GuestKind> {
  if (ofKernel === undefined) return ok('debian');
  return fail('usage', `with --overlay the debian guest starts from its own disk; leave --${ofKernel} out.`);
}

function debianFromKernel(ofKernel: string | undefined, bios: boolean): Result<GuestKind> {
  if (bios) return fail('usage', '--bios starts what is on a disk; the debian guest has one with --overlay FILE.');
  if (ofKernel === undefined || ofKernel === 'append') return ok('debian');
  return fail('usage', `the debian guest brings its own kernel; leave --${ofKernel} out.`);
}
