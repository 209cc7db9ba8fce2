import { cpus } from 'node:os';
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
