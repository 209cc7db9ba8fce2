/** Sizes as people write and read them. */
const units = 'KMGTPE';

/** Reads "512", "64k", "1.5G": bytes, or a number of KiB and so on. @returns undefined for anything else */
export function parseByteSize(text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?)(?:([kmgtpe])(?:i?b)?|b)?$/i.exec(text);
  if (match === null) return undefined;
  const [, digits = '', unit] = match;
  const power = unit === undefined ? 0 : units.indexOf(unit.toUpperCase()) + 1;
  const bytes = Math.ceil(Number(digits) * 1024 ** power);
  // A part of a byte is a mistake, not a size.
  return (power === 0 && digits.includes('.')) || !Number.isSafeInteger(bytes) ? undefined : bytes;
}

/** "1.5 GiB" */
export function formatByteSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${Number(value.toPrecision(value < 1000 ? 3 : 4))} ${units[power - 1]}iB`;
}
