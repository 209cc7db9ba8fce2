/** Register names by number, for people. */

const bytes = 'al cl dl bl ah ch dh bh'.split(' ');
const words = 'ax cx dx bx sp bp si di'.split(' ');
const rexBytes = 'al cl dl bl spl bpl sil dil'.split(' ');

export const segmentNames: readonly string[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', '?', '?'];

/** General register `number` at `size` bits; `rex` picks SPL…DIL over AH…BH. */
export function registerName(number: number, size: number, rex: boolean): string {
  if (number >= 8) {
    const suffix = size === 64 ? '' : size === 32 ? 'd' : size === 16 ? 'w' : 'b';
    return `r${number}${suffix}`;
  }
  if (size === 8) return (rex ? rexBytes : bytes)[number] ?? '?';
  const prefix = size === 64 ? 'r' : size === 32 ? 'e' : '';
  return `${prefix}${words[number] ?? '?'}`;
}
