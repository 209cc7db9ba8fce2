/** The command line as users have it, from the sources. */
import { fileURLToPath } from 'node:url';
import { type Ended, type Running, startProgram } from '../../src/cli/testing/corbel-process.ts';

const entry = fileURLToPath(new URL('../../src/cli/corbel.ts', import.meta.url));

export function startCorbel(args: readonly string[], input: Uint8Array | 'open' = new Uint8Array(0)): Running {
  return startProgram([process.execPath, '--disable-warning=ExperimentalWarning', entry, ...args], input);
}

export function corbel(args: readonly string[]): Promise<Ended> {
  return startCorbel(args).ended;
}
