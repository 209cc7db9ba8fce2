import { fail, ok, type Result } from '../support/result.ts';

const units: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const granule = 64 * 2 ** 10;
const minimum = 2 ** 20;
/** What one WebAssembly memory holds. */
const maximum = 4 * 2 ** 30;

/** Reads a size like 512M, the value of option `--name`. */
export function parseSize(name: string, text: string): Result<number> {
  return readSize(`--${name}`, text);
}

/** Reads what a guest with a balloon is to get along with. @param what how the help calls it */
export function parseBalloonSize(what: string, text: string): Result<number> {
  const size = readSize(what, text);
  if (!size.ok) return size;
  const bytes = Math.floor(size.value);
  return bytes >= minimum ? ok(bytes) : fail('usage', `${what} ${text} is too little for any guest.`);
}

function readSize(what: string, text: string): Result<number> {
  const match = /^([0-9]+(?:\.[0-9]+)?)([KMGT])i?B?$/i.exec(text);
  if (match === null) {
    const hint = /^[0-9]+$/.test(text) ? `; did you mean ${text}M?` : '.';
    return fail('usage', `${what} takes a number with a unit, like 512M or 2G, not "${text}"${hint}`);
  }
  return ok(Number(match[1]) * (units[(match[2] as string).toUpperCase()] as number));
}

/** Reads the size of a guest's memory. @returns bytes; the message of a failure names the option */
export function parseMemorySize(text: string): Result<number> {
  const size = parseSize('memory', text);
  if (!size.ok) return size;
  const bytes = size.value;
  if (bytes < minimum || bytes > maximum) {
    return fail('usage', `--memory ${text} does not fit: a guest can have from 1M to 4G of memory.`);
  }
  if (bytes % granule !== 0) return fail('usage', `--memory ${text} is not a multiple of 64K.`);
  return ok(bytes);
}

/** As it would be given to `--memory`, rounded to two digits behind the point. */
export function formatMemorySize(bytes: number): string {
  const [unit, factor] = Object.entries(units).findLast(([, size]) => bytes >= size) ?? ['K', 2 ** 10];
  return `${Number((bytes / factor).toFixed(2))}${unit}`;
}
