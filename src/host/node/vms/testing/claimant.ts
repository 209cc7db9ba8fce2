/** A process that claims a name and says whether it got it; it holds it until it is killed. */
import { claimVm } from '../registry.ts';
import { definitionOf } from './definition.ts';

const name = process.argv[2] as string;
process.stdin.once('data', () => {
  const claimed = claimVm(definitionOf(name));
  process.stdout.write(claimed.ok ? 'claimed\n' : `${claimed.error.message}\n`);
});
process.stdout.write('ready\n');
