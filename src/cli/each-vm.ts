import type { Result } from '../support/result.ts';
import { refuse } from './conclusion.ts';
import { exitStatus } from './exit-status.ts';

/**
 * Does the same to several virtual machines, at the same time, and prints the name of each for which it was done.
 * @returns the exit status: that of the last failure, if there was one
 */
export async function forEachVm(
  names: readonly string[],
  act: (name: string) => Promise<Result<void>>,
): Promise<number> {
  let status: number = exitStatus.ok;
  const one = async (name: string): Promise<void> => {
    const done = await act(name);
    if (done.ok) process.stdout.write(`${name}\n`);
    else status = refuse(done.error);
  };
  await Promise.all([...new Set(names)].map(one));
  return status;
}
