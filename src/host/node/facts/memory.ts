import { cpus } from 'node:os';
import { type CgroupFiles, findCgroupPlace } from '../fair-use/cgroup-place.ts';
import { type Fact, fact } from './fact.ts';

const mebibyte = 2 ** 20;
/** The linux guest's default, and what the monitor itself may take. */
const neededMiB = 512 + 200;

export function memory(availableBytes: number): Fact {
  const available = Math.floor(availableBytes / mebibyte);
  const enough = available >= neededMiB;
  const what = `${available} MiB are available; a guest of 512M takes up to ${neededMiB} MiB`;
  return fact('memory', 'memory', enough ? 'yes' : 'no', enough ? what : `${what}; use a smaller --memory`);
}

export function processors(): Fact {
  const count = cpus().length;
  const why = `${count} processors; the guest and its terminal run on one each`;
  return fact('processors', 'two processors', count >= 2 ? 'yes' : 'no', why);
}

/** Without it the monitor does the same. */
export function limits(files: CgroupFiles): Fact {
  const place = findCgroupPlace(files);
  const what = 'keeps a virtual machine to --cpu-limit and --cpu-shares';
  const why = place.ok
    ? `the kernel ${what} in ${place.value.parent}`
    : `the monitor alone ${what}: ${place.error.message}`;
  return fact('cgroup', 'own cgroup', place.ok ? 'yes' : 'no', why.replace(/\.$/, ''));
}
